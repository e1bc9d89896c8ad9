//! Naming the missing object: a change reads no more than it needs, so it can't distinguish a missing package from a
//! missing version.

use crate::{
    ledger::{
        ApplyRequest, Error, Failed, NotFound, TableLedger,
        error::no_version,
        schema::{self, Head},
    },
    model::{PackageName, Spec, TagName},
};

impl TableLedger {
    /// Returns the error with the missing object named: the package or the version.
    pub(in crate::ledger) async fn explain(&self, package: &PackageName, spec: &Spec, error: Error) -> Error {
        let Error::NotFound(not_found) = &error else { return error };
        if matches!(not_found, NotFound::Deleted { .. } | NotFound::Latest(_)) {
            return error;
        }
        let key = schema::head_key(&schema::releases(package));
        let head = match self.read(vec![key.clone()]).await.and_then(|seen| seen.get(&key)) {
            Ok(head) => head.filter(|head: &Head| head.n > 0),
            Err(error) => return error,
        };
        match (head, spec) {
            (None, _) => NotFound::Package(package.clone()).into(),
            (head, Spec::Version(version)) if !matches!(not_found, NotFound::Tag { .. }) => {
                no_version(package, *version, head.map(|head| head.n)).into()
            }
            _ => error,
        }
    }

    /// Names the missing object, the package or the version, in the error of each move of a plan.
    pub(in crate::ledger) async fn explain_moves(&self, request: &ApplyRequest, error: Error) -> Error {
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
