//! Plans that put tags back to where they were at a time.

use super::{
    client::Client,
    error::Error,
    obstacle::Obstacle,
    status::{Status, StatusQuery},
};
use crate::model::{
    Expectation, Invalid, Message, Moment, PackageStatus, Plan, PlannedMove, Protection, Spec, State,
    TagName, TagNow, TagStatus,
};
use futures_util::TryStreamExt;

/// The most items of a plan's transaction. Two more are left: for an idempotency key, and for the check of the freezes.
const MOST_ITEMS: usize = 98;

/// A request for plans that restore the tags of a time.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// The packages and tags. Its time is replaced by `at`.
    pub query: StatusQuery,
    /// The time whose tags are restored.
    pub at: Moment,
    /// Tags whose moves the plans confirm, where their protection requires that.
    pub confirm: Vec<TagName>,
    /// Make several plans if one can't hold all moves. Each is atomic, all together are not.
    pub split: bool,
}

impl RestoreRequest {
    /// Restores the selected tags to where they were at this time.
    #[must_use]
    pub fn new(query: StatusQuery, at: Moment) -> Self {
        Self { query, at, confirm: Vec::new(), split: false }
    }

    /// Confirms the moves of this tag.
    #[must_use]
    pub fn confirm(mut self, tag: TagName) -> Self {
        self.confirm.push(tag);
        self
    }

    /// Makes several plans if one can't hold all moves.
    #[must_use]
    pub fn split(self, split: bool) -> Self {
        Self { split, ..self }
    }
}

impl Client {
    /// Returns plans that put tags back to where they were at a time: each move expects the version that the tag is on
    /// now, so a plan is refused if the tag moves in between. No plan if nothing has changed. A tag that was on no
    /// version then is removed by the plan. Changes nothing.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    ///
    /// # Errors
    /// [`Error::NotRestorable`] names every tag that can't be put back; [`Error::NeedsSplit`] if one plan can't hold all
    /// moves and the request does not allow several; those of [`Client::status`], also for a single package.
    pub async fn plan_restore(&self, request: &RestoreRequest) -> Result<Vec<Plan>, Error> {
        // The time of the message is the one that the tags are read for.
        let at = self.ledger.time_of(request.at).await?;
        let query = StatusQuery { at: Some(Moment::Time(at)), ..request.query.clone() };
        let mut statuses = self.status(&query);
        let (mut moves, mut obstacles) = (Vec::new(), Vec::new());
        while let Some(status) = statuses.try_next().await? {
            let status = match status {
                Status::Package(status) => status,
                Status::Unreadable { error, .. } => return Err(error.into()),
            };
            for (tag, now) in changed(&status) {
                let why = obstacle(tag, now);
                match why {
                    Some(why) => {
                        let (package, tag) = (status.package.clone(), tag.tag.clone());
                        obstacles.push(Obstacle { package, tag, why });
                    }
                    None => moves.push(move_back(&status, tag, now, &request.confirm)),
                }
            }
        }
        if !obstacles.is_empty() {
            return Err(Error::NotRestorable { obstacles });
        }
        let message: Message = format!("as of {at}").parse()?;
        let parts = split(&moves);
        if parts.len() > 1 && !request.split {
            let packages = parts.iter().flatten().map(|it| &it.package);
            let packages = packages.collect::<std::collections::BTreeSet<_>>().len();
            return Err(Error::NeedsSplit { packages, plans: parts.len() });
        }
        let plan = |moves| Plan::new(Some(message.clone()), moves);
        Ok(parts.into_iter().map(plan).collect::<Result<_, Invalid>>()?)
    }
}

/// The tags of a package that are not on the version that they were on.
fn changed(status: &PackageStatus) -> impl Iterator<Item = (&TagStatus, &TagNow)> {
    let tags = status.tags.iter().filter_map(|tag| Some((tag, tag.now.as_ref()?)));
    tags.filter(|(tag, now)| tag.version != now.version)
}

/// Returns the reason why no plan can put a tag back.
fn obstacle(tag: &TagStatus, now: &TagNow) -> Option<String> {
    match (tag.version, now.state, now.protection.and_then(Protection::without_gates)) {
        (Some(version), Some(state), _) if state != State::Active => {
            Some(format!("{version} is {state} now"))
        }
        (Some(version), None, _) => Some(format!("{version} is not there any more")),
        (_, _, Some(Protection::WriteOnce)) if now.version.is_some() => {
            Some("the tag is write-once, so it never moves again".to_owned())
        }
        _ => None,
    }
}

fn move_back(status: &PackageStatus, tag: &TagStatus, now: &TagNow, confirm: &[TagName]) -> PlannedMove {
    PlannedMove {
        package: status.package.clone(),
        tag: tag.tag.clone(),
        to: tag.version.map(Spec::Version),
        expect: Some(now.version.map_or(Expectation::None, Expectation::Version)),
        require: Vec::new(),
        overriding: None,
        confirm: Some(tag.tag.clone()).filter(|tag| confirm.contains(tag)),
    }
}

/// Splits moves, which are ordered by package, so that each part fits in one transaction. The moves of a package stay
/// together unless they alone are too many.
fn split(moves: &[PlannedMove]) -> Vec<Vec<PlannedMove>> {
    let items =
        |moves: &[PlannedMove]| moves.iter().map(|it| 2 + usize::from(it.to.is_some())).sum::<usize>();
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    let (mut packages, mut used) = (0, 0);
    for of_package in moves.chunk_by(|one, other| one.package == other.package) {
        let needs = 1 + items(of_package);
        if !part.is_empty() && (packages == Plan::MAX_PACKAGES || used + needs > MOST_ITEMS) {
            parts.push(std::mem::take(&mut part));
            (packages, used) = (0, 0);
        }
        packages += 1;
        used += 1;
        for it in of_package {
            let needs = items(std::slice::from_ref(it));
            if used + needs > MOST_ITEMS {
                parts.push(std::mem::take(&mut part));
                (packages, used) = (1, 1);
            }
            part.push(it.clone());
            used += needs;
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(package: &str, tag: usize, to: Option<u64>) -> PlannedMove {
        PlannedMove {
            package: package.parse().unwrap(),
            tag: format!("t{tag}").parse().unwrap(),
            to: to.map(|to| Spec::Version(to.try_into().unwrap())),
            expect: None,
            require: Vec::new(),
            overriding: None,
            confirm: None,
        }
    }

    fn sizes(moves: impl AsRef<[PlannedMove]>) -> Vec<usize> {
        split(moves.as_ref()).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_part_has_no_more_packages_and_items_than_a_transaction() {
        let packages =
            |count: usize, to| (0..count).map(|it| one(&format!("p{it:03}"), 0, to)).collect::<Vec<_>>();
        // 4 items for each package: 24 of them fit with a key.
        assert_eq!(sizes(packages(24, Some(1))), [24]);
        assert_eq!(sizes(packages(25, Some(1))), [24, 1]);
        // 3 items each: the number of packages is the limit.
        assert_eq!(sizes(packages(60, None)), [25, 25, 10]);
        assert_eq!(sizes([]), [0_usize; 0]);
    }

    #[test]
    fn the_moves_of_a_package_stay_together_unless_they_are_too_many() {
        let of = |package: &str, count| (0..count).map(|tag| one(package, tag, Some(1))).collect::<Vec<_>>();
        assert_eq!(sizes([of("a", 20), of("b", 20)].concat()), [20, 20]);
        assert_eq!(sizes([of("a", 2), of("b", 70)].concat()), [2, 32, 32, 6]);
    }
}
