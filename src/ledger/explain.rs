//! Saying what is missing: a change reads no more than it needs, so it can't tell a missing package from a missing version.

use super::{
    ApplyRequest, Error, Failed, NotFound, TableLedger,
    items::{self, Head},
    read::no_version,
};
use crate::model::{PackageName, Spec, TagName};

impl TableLedger {
    /// Says which of package and version is missing.
    pub(super) async fn explain(&self, package: &PackageName, spec: &Spec, error: Error) -> Error {
        let Error::NotFound(not_found) = &error else { return error };
        if matches!(not_found, NotFound::Deleted { .. } | NotFound::Latest(_)) {
            return error;
        }
        let key = items::head_key(&items::releases(package));
        let head = match self.read(vec![key.clone()]).await.and_then(|seen| seen.get(&key)) {
            Ok(head) => head.filter(|head: &Head| head.n > 0),
            Err(error) => return error,
        };
        match (head, spec) {
            (None, _) => NotFound::Package(package.clone()).into(),
            (head, Spec::Version(version)) if !matches!(not_found, NotFound::Tag { .. }) => {
                no_version(package, *version, head.as_ref()).into()
            }
            _ => error,
        }
    }

    /// Says of each move of a plan which of package and version is missing.
    pub(super) async fn explain_moves(&self, request: &ApplyRequest, error: Error) -> Error {
        let spec_of = |package: &PackageName, tag: &TagName| {
            let planned = request.plan.moves().iter().find(|it| it.package == *package && it.tag == *tag);
            planned.and_then(|it| it.to.clone()).unwrap_or_else(|| Spec::Tag(tag.clone()))
        };
        match error {
            Error::Moves { failed, of } => {
                let mut explained = Vec::new();
                for Failed { package, tag, error } in failed {
                    let error = self.explain(&package, &spec_of(&package, &tag), error).await;
                    explained.push(Failed { package, tag, error });
                }
                Error::Moves { failed: explained, of }
            }
            error => match request.plan.moves() {
                [only] => {
                    let spec = spec_of(&only.package, &only.tag);
                    self.explain(&only.package, &spec, error).await
                }
                _ => error,
            },
        }
    }
}
