//! The lines of `status`.

use crate::model::{
    Expectation, PackageName, PackageStatus, Plan, PlannedMove, Protection, Spec, State, TagName, TagStatus,
    Version,
};
use serde::Serialize;
use serde_json::Value;

/// A tag of a package, now or at a time.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct StatusLine<'a> {
    package: &'a PackageName,
    tag: &'a str,
    version: Option<Version>,
    rev: Option<u64>,
    moved_at: Option<String>,
    moved_by: Option<&'a str>,
    /// The present `latest`, and the number of versions up to it; not for the past.
    latest: Option<Version>,
    behind: Option<u64>,
    protection: Option<Protection>,
    /// True if a freeze holds for the package; not for the past.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    frozen: bool,
    /// For `--at` only: the present position of the tag, and the present state of the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<NowFields>,
}

#[derive(Debug, Serialize)]
struct NowFields {
    version: Option<Version>,
    state: Option<State>,
}

impl<'a> StatusLine<'a> {
    pub fn of(status: &'a PackageStatus, tag: &'a TagStatus) -> Self {
        let is_past = tag.now.is_some();
        let on = tag.version.is_some();
        Self {
            package: &status.package,
            tag: tag.tag.as_str(),
            version: tag.version,
            rev: on.then_some(tag.rev),
            moved_at: on.then(|| tag.since.to_string()),
            moved_by: on.then(|| tag.by.as_str()),
            latest: status.latest.filter(|_| !is_past),
            behind: tag.version.filter(|_| !is_past).map(|version| status.behind(version)),
            protection: tag.protection,
            frozen: !status.freezes.is_empty(),
            now: tag.now.as_ref().map(|now| NowFields { version: now.version, state: now.state }),
        }
    }

    /// Returns the line of a tag that is on no version.
    pub fn none(status: &'a PackageStatus, tag: &'a TagName) -> Self {
        Self {
            package: &status.package,
            tag: tag.as_str(),
            version: None,
            rev: None,
            moved_at: None,
            moved_by: None,
            latest: status.latest,
            behind: None,
            protection: None,
            frozen: !status.freezes.is_empty(),
            now: None,
        }
    }
}

/// A plan, as `apply` reads it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PlanLine<'a> {
    pub message: Option<&'a str>,
    pub moves: Vec<PlannedLine<'a>>,
}

/// A move of a plan.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PlannedLine<'a> {
    package: &'a PackageName,
    tag: &'a str,
    to: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<&'a str>,
}

impl<'a> PlanLine<'a> {
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            message: plan.message().map(AsRef::as_ref),
            moves: plan.moves().iter().map(PlannedLine::of).collect(),
        }
    }
}

impl<'a> PlannedLine<'a> {
    fn of(planned: &'a PlannedMove) -> Self {
        let number = |version: Version| Value::from(version.get());
        Self {
            package: &planned.package,
            tag: planned.tag.as_str(),
            to: planned.to.as_ref().map(|to| match to {
                Spec::Version(version) => number(*version),
                spec => spec.to_string().into(),
            }),
            expect: planned.expect.map(|expect| match expect {
                Expectation::Version(version) => number(version),
                Expectation::None => "none".into(),
            }),
            confirm: planned.confirm.as_ref().map(TagName::as_str),
        }
    }
}
