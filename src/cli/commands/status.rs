//! `status`: shows the tags of many packages.

use crate::{
    cli::{
        commands::shared::Unreadable,
        context::Context,
        error::Failure,
        json,
        tables::{self, StatusTable},
    },
    model::{Invalid, Moment, PackageStatus, Plan, TagName},
    ops::{self, Client, RestoreRequest, Status, StatusQuery},
};
use futures_util::TryStreamExt;
use std::str::FromStr;

/// Show the tags of many packages: versions, since when, by whom, and how far behind latest
///
/// BEHIND counts the versions up to latest. Marks in brackets: a protection; with --at also yanked or deleted (the
/// version, since then) and `now N` (the tag has moved since then). The tags of one package are those of one instant;
/// different packages may be of different instants.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Show only packages whose names begin with this prefix
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, value_parser = crate::cli::options::prefix)]
    prefix: String,
    /// Show only this tag; can be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<TagName>,
    /// Show the tags as they were at this time: '2h ago', 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// Show only packages in which these two tags are on different versions: canary:live
    #[arg(long, value_name = "TAG:TAG", conflicts_with_all = ["tags", "plan"])]
    drift: Option<Drift>,
    /// Print a plan for `apply` that puts the tags back to where they were at that time
    #[arg(long, requires = "at")]
    plan: bool,
    /// With --plan: print several plans, one per line, if one can't hold all moves; each is atomic by itself, all
    /// together are not
    #[arg(long, requires = "plan")]
    split: bool,
    /// With --plan: confirm the moves of this tag, if it is protected so that its moves need that; can be repeated
    #[arg(long, value_name = "TAG", requires = "plan")]
    confirm: Vec<TagName>,
}

/// Two tags to be compared.
#[derive(Debug, Clone)]
struct Drift([TagName; 2]);

impl FromStr for Drift {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let rule = "is not two tags with : between them, like canary:live";
        let (one, other) = text.split_once(':').ok_or_else(|| Invalid::new("drift", text, rule))?;
        Ok(Self([one.parse()?, other.parse()?]))
    }
}

const DOING: &str = "reading the status";

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { prefix, tags, at, drift, plan, split, confirm } = args;
    let client = context.ledger().await?;
    let mut query = StatusQuery::new().prefix(prefix);
    query.tags = drift.as_ref().map_or(tags, |Drift(two)| two.to_vec());
    if let (true, Some(at)) = (plan, at) {
        let mut request = RestoreRequest::new(query, at).split(split);
        request.confirm = confirm;
        return print_plans(&client, &request, context).await;
    }
    query.at = at;
    let table = StatusTable::new(context.output.columns(), context.output.colored);
    let mut statuses = client.status(&query);
    let mut unreadable = Unreadable::default();
    let mut header = !context.output.json;
    loop {
        let next = context.output.wait(statuses.try_next()).await?.map_err(context.failed(DOING))?;
        if std::mem::take(&mut header) {
            context.output.line(table.header())?;
        }
        match (next, &drift) {
            (None, _) => break,
            (Some(Status::Unreadable { package, error }), _) => unreadable.note(&package, error, context),
            (Some(Status::Package(status)), None) => print(&status, table, context)?,
            (Some(Status::Package(status)), Some(drift)) => print_drift(&status, drift, table, context)?,
        }
    }
    unreadable.end(DOING, context)
}

fn print(status: &PackageStatus, table: StatusTable, context: &mut Context<'_>) -> Result<(), Failure> {
    for tag in status.tags.iter().filter(|tag| tag.version.is_some()) {
        if context.output.json {
            context.output.object(&json::StatusLine::of(status, tag))?;
        } else {
            context.output.line(table.row(status, tag))?;
        }
    }
    Ok(())
}

/// Prints both tags of a package in which they differ.
fn print_drift(
    status: &PackageStatus,
    Drift(tags): &Drift,
    table: StatusTable,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let on = tags.each_ref().map(|tag| status.tag(tag).filter(|tag| tag.version.is_some()));
    let [one, other] = on.map(|tag| tag.and_then(|tag| tag.version));
    if one == other {
        return Ok(());
    }
    for (name, tag) in tags.iter().zip(on) {
        match (tag, context.output.json) {
            (Some(tag), true) => context.output.object(&json::StatusLine::of(status, tag))?,
            (Some(tag), false) => context.output.line(table.row(status, tag))?,
            (None, true) => context.output.object(&json::StatusLine::none(status, name))?,
            (None, false) => context.output.line(table.none(status, name))?,
        }
    }
    Ok(())
}

async fn print_plans(
    client: &Client,
    request: &RestoreRequest,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let plans = client.plan_restore(request).await.map_err(context.failed("planning to restore the tags"))?;
    for plan in &plans {
        let line = json::PlanLine::of(plan);
        if context.output.json || request.split {
            context.output.object(&line)?;
        } else {
            for line in tables::plan(&line) {
                context.output.line(line)?;
            }
        }
    }
    note_freezes(client, &plans, context).await?;
    let removed = plans.iter().flat_map(Plan::moves).filter(|it| it.to.is_none()).count();
    if plans.is_empty() {
        context.notices.note("there is nothing to restore: the tags are where they were");
    }
    if removed > 0 {
        let these =
            if removed == 1 { "1 tag that was".to_owned() } else { format!("{removed} tags that were") };
        context.notices.note(&format!("the plan removes {these} on no version then"));
    }
    if plans.len() > 1 {
        let count = plans.len();
        context.notices.note(&format!("{count} plans: each is atomic by itself, all together are not"));
    }
    Ok(())
}

/// Notes the freezes that would refuse a plan, so that nobody meets them only when it is applied.
async fn note_freezes(client: &Client, plans: &[Plan], context: &mut Context<'_>) -> Result<(), Failure> {
    if plans.is_empty() {
        return Ok(());
    }
    let freezes = client.freezes_in_force().await.map_err(ops::Error::from);
    let freezes = freezes.map_err(context.failed("reading the freezes"))?;
    let forward = || plans.iter().flat_map(Plan::moves).filter(|it| it.to.is_some());
    for freeze in &freezes {
        if forward().any(|it| freeze.prefix.selects(&it.package)) {
            let how = if freeze.strict { "until it is thawed" } else { "without --emergency" };
            context.notices.note(&format!("`apply` will be refused {how}: {freeze}"));
        }
    }
    Ok(())
}
