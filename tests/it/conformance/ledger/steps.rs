//! The changes of tags that are more than one move, one after the other: for tests in which they meet trouble.

use super::{
    plans::{applying, moving},
    rollback::rolling_back,
};
use crate::support::world::{adding, of, tags, try_add};
use sacker::{
    ledger::{Author, Error, Ledger, ProtectRequest},
    model::{Protection, TagMove},
};
use std::fmt::Write as _;

/// Each can be taken once those before it were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Back,
    Protect,
    Unprotect,
    Apply,
    Undo,
}

impl Step {
    pub const ALL: [Self; 5] = [Self::Back, Self::Protect, Self::Unprotect, Self::Apply, Self::Undo];

    pub async fn take(
        self,
        ledger: &dyn Ledger,
        packages: &[String; 3],
        author: Author,
    ) -> Result<String, Error> {
        let [a, b, _] = packages;
        let protect = async |protection| {
            let (package, tag, author) = (of(b), of("live"), author.clone());
            ledger
                .protect(&ProtectRequest::new(package, tag, protection).author(author))
                .await
                .map(|it| vec![it])
        };
        let plan = plan(packages);
        let moved = match self {
            Self::Back => {
                let request = rolling_back(a, "live").author(author);
                vec![ledger.rollback(&request).await?]
            }
            Self::Protect => protect(Some(Protection::Confirm)).await?,
            Self::Unprotect => protect(None).await?,
            Self::Apply => ledger.apply(&applying(&plan).author(author)).await?,
            Self::Undo => ledger.apply(&applying(&plan).author(author).undo(true)).await?,
        };
        Ok(shown(&moved))
    }

    /// The moves that the step must make.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Back => "rollback 2>1",
            Self::Protect => "protect 2>2",
            Self::Unprotect => "unprotect 2>2",
            Self::Apply => "untag 2>0, move 1>2, move 2>1",
            Self::Undo => "rollback 0>2, rollback 2>1, rollback 1>2",
        }
    }

    /// The version that `live` is on in each package before the step, and the number of changes of tags in each.
    pub fn before(self) -> (&'static str, [usize; 3]) {
        match self {
            Self::Back => ("2 2 2", [2, 2, 2]),
            Self::Protect => ("1 2 2", [3, 2, 2]),
            Self::Unprotect => ("1 2 2", [3, 3, 2]),
            Self::Apply => ("1 2 2", [3, 4, 2]),
            Self::Undo => ("2 1 -", [4, 5, 3]),
        }
    }

    pub fn after(self) -> (&'static str, [usize; 3]) {
        let next = Self::ALL.iter().position(|it| *it == self).and_then(|at| Self::ALL.get(at + 1));
        next.map_or(("1 2 2", [5, 6, 4]), |next| next.before())
    }
}

/// In another order than that of the names.
pub fn plan([a, b, c]: &[String; 3]) -> String {
    let [first, second, third] = [
        (c.as_str(), "live", "null", ""),
        (a.as_str(), "live", r#""latest""#, ""),
        (b.as_str(), "live", "1", r#", "expect": 2"#),
    ];
    moving(&[first, second, third])
}

/// Two versions of each, `live` on the first and then on the second.
pub async fn prepare(ledger: &dyn Ledger, packages: &[String; 3]) {
    for package in packages {
        for number in ["1", "2"] {
            let request = adding(package).tags([of("live")]);
            try_add(ledger, &request, &format!("{package} {number}")).await.unwrap();
        }
    }
}

/// The version that `live` is on in each package.
pub async fn live(ledger: &dyn Ledger, packages: &[String; 3]) -> String {
    let mut all = Vec::new();
    for package in packages {
        let tags = tags(ledger, package).await;
        all.push(tags.split(' ').find_map(|tag| tag.strip_prefix("live=")).unwrap_or("-").to_owned());
    }
    all.join(" ")
}

fn shown(moved: &[TagMove]) -> String {
    let mut all = String::new();
    for it in moved {
        let number = |version: Option<_>| version.map_or(0, u64::from);
        let comma = if all.is_empty() { "" } else { ", " };
        write!(all, "{comma}{} {}>{}", it.kind, number(it.previous), number(it.version)).unwrap();
    }
    all
}
