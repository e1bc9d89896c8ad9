//! `doctor`: examines the configuration, the ledger, the store and the permissions.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        output::Output,
        places::Side,
        render,
    },
    location::{Ensemble, LedgerUrl},
    model::PackageName,
    ops::{Doctor, ErrorKind, Finding, Verdict},
};

/// Examine the set-up: configuration, table, bucket, clocks and permissions; changes nothing
///
/// Prints a line for each fact: ok; warn or fail, with the command that repairs it; or unknown if it may not be seen or was
/// not tried, with the command that finds it out. Exits with 8 if something must be repaired, else with 10 or 7 if the ledger
/// or the store can't be read.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Also test the store's server, and the permissions to write, with writes that change nothing
    #[arg(long)]
    probe: bool,
    /// The package for which the permissions are tried
    #[arg(long, value_name = "PACKAGE")]
    package: Option<PackageName>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let mut failures = 0;
    let mut print = |output: &mut Output, finding: &Finding| {
        failures += usize::from(finding.verdict == Verdict::Fail);
        if output.json { output.object(&json::FindingLine::of(finding)) } else { output.line(line(finding)) }
    };
    for finding in configuration(context) {
        print(context.output, &finding)?;
    }
    let client = match context.client().await {
        Ok(client) => client,
        Err(failure) => {
            print(context.output, &Finding::new("connection", Verdict::Fail, &failure.message))?;
            return Err(failure);
        }
    };
    let identity = identity(context).await;
    print(context.output, &identity)?;
    // What is known already is shown while the servers are asked.
    context.output.flush()?;
    let report = client.doctor(&Doctor::new().probe(args.probe).package(args.package)).await;
    for finding in &report.findings {
        print(context.output, finding)?;
    }
    let kind = match report.worst() {
        None => return Ok(()),
        Some(ErrorKind::Denied) => Kind::Denied,
        Some(ErrorKind::Unavailable) => Kind::Unavailable,
        Some(_) => Kind::Integrity,
    };
    let hint = "each line that begins with `fail` names the command that repairs it, if there is one";
    Err(Failure::new(kind, format!("{} found", render::counted(failures as u64, "failure"))).hint(hint))
}

/// Returns what is configured, and from where.
fn configuration(context: &Context<'_>) -> Vec<Finding> {
    let places = &context.places;
    let [ledger, store] = &context.origins;
    let ok = |name: &'static str, detail| Finding::new(name, Verdict::Ok, detail);
    let mut found = vec![
        ok("configured_ledger", format!("{}, from {ledger}", places.ledger)),
        ok("configured_store", format!("{}, from {store}", places.store)),
    ];
    let sides = [("configured_ledger_address", Side::Ledger), ("configured_store_address", Side::Store)];
    for (name, side) in sides {
        found.extend(places.address(side).map(|address| ok(name, address)));
    }
    for name in ["AWS_PROFILE", "AWS_REGION"] {
        let value = context.environment.filled(name).filter(|_| places.endpoint(Side::Either).is_some());
        found.extend(
            value.map(|value| ok("configured_aws", format!("{name} is {}", value.to_string_lossy()))),
        );
    }
    found
}

/// Returns the identity that the credentials belong to.
async fn identity(context: &Context<'_>) -> Finding {
    const NAME: &str = "identity";
    let Some(at) = context.places.endpoint(Side::Either) else {
        let identity = match &context.places.ledger {
            LedgerUrl::Zookeeper(Ensemble { user: Some((user, _)), .. }) => {
                format!("the user {user} of the ledger")
            }
            LedgerUrl::Zookeeper(_) => "nobody: the URL of the ledger names no user".to_owned(),
            _ => "no credentials are needed: the ledger and the store are files".to_owned(),
        };
        return Finding::new(NAME, Verdict::Ok, identity);
    };
    let key = context.aws.access_key_id().await;
    let key = key.map_or_else(String::new, |key| format!(" (access key {key})"));
    match context.aws.caller(at).await {
        Ok(Some(arn)) => Finding::new(NAME, Verdict::Ok, format!("{arn}{key}")),
        Ok(None) => {
            let why = format!("the server is not AWS, so STS was not asked{key}");
            Finding::new(NAME, Verdict::Unknown, why)
        }
        Err(fault) => Finding::new(NAME, Verdict::Unknown, format!("{fault}: {}{key}", fault.source)),
    }
}

fn line(finding: &Finding) -> String {
    let detail = render::escaped(&finding.detail);
    let aim = if finding.verdict == Verdict::Unknown { "to find out" } else { "to repair" };
    let repair = finding.repair.as_deref().map(|repair| format!("; {aim}: {}", render::escaped(repair)));
    format!(
        "{:<7}  {}  {detail}{}",
        finding.verdict,
        render::escaped(&finding.name),
        repair.unwrap_or_default()
    )
}
