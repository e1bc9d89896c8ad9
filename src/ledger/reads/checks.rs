//! The gates of tags for a version, without a move.

use super::gates::{Candidate, check};
use crate::{
    ledger::{
        CheckReport, CheckRequest, Error, Refused, TableLedger,
        error::no_version,
        schema::{self, FREEZES, TagItem, VersionItem, gated::Gated},
        snapshot::{Lookup, Snapshot},
    },
    model::{Gate, GateCheck, PackageName, Protection, State, TagGates, Version},
};

impl TableLedger {
    /// Implements [`Ledger::check`](crate::ledger::Ledger::check).
    pub(in crate::ledger) async fn check_gates(&self, request: &CheckRequest) -> Result<CheckReport, Error> {
        match self.try_check(request).await {
            Ok(report) => Ok(report),
            Err(error) => Err(self.explain(&request.package, &request.spec, error).await),
        }
    }

    async fn try_check(&self, request: &CheckRequest) -> Result<CheckReport, Error> {
        let CheckRequest { package, spec, tag, require } = request;
        let (version, _) = self.read_position(package, spec).await?;
        let (version_key, tag_key) =
            (schema::version_key(package, version.get()), schema::tag_key(package, tag));
        let keys = vec![version_key.clone(), tag_key.clone(), schema::head_key(FREEZES)];
        let mut seen = self.read(keys).await?;
        let item: Option<VersionItem> = seen.get(&version_key)?;
        let state = item.ok_or_else(|| no_version(package, version, None))?.state;
        if state != State::Active {
            return Err(Refused::NotActive { package: package.clone(), version, state }.into());
        }
        let before: Option<TagItem> = seen.get(&tag_key)?;
        let in_place = before.as_ref().is_some_and(|before| before.version == Some(version));
        let freezes = if in_place { Vec::new() } else { self.frozen(package, &seen)? };
        if !freezes.is_empty() {
            return Err(Refused::Frozen { package: package.clone(), tag: tag.clone(), freezes }.into());
        }
        let protection = before.as_ref().and_then(|before| before.protection);
        let is_fixed = before.as_ref().is_some_and(|before| before.version.is_some());
        match protection {
            Some(Protection::Other(word)) if !in_place => {
                let what = format!("the protection of the tag {tag} of {package}");
                return Err(Error::unknown_word(&what, word.as_str(), "be enforced"));
            }
            Some(protection @ (Protection::WriteOnce | Protection::WriteOnceGates))
                if is_fixed && !in_place =>
            {
                let (package, tag) = (package.clone(), tag.clone());
                return Err(Refused::Protected { package, tag, protection }.into());
            }
            _ => {}
        }
        let no_override = before.as_ref().is_some_and(|before| before.no_override);
        let standing = before.map(|before| before.gates).unwrap_or_default();
        let kept = standing.iter().filter(|gate| !require.contains(gate)).map(|gate| (gate, true));
        let asked = require.iter().map(|gate| (gate, false));
        let gates: Vec<_> = kept.chain(asked).collect();
        let checks = self.check_each(package, version, &gates, &mut seen).await?;
        let (package, tag) = (package.clone(), tag.clone());
        Ok(CheckReport { package, tag, version, in_place, protection, no_override, checks })
    }

    /// Returns the standing gates of these tags for a version.
    pub(in crate::ledger) async fn gates_of(
        &self,
        package: &PackageName,
        version: Version,
        gated: Gated,
    ) -> Result<Vec<TagGates>, Error> {
        if gated.is_empty() {
            return Ok(Vec::new());
        }
        let keys = gated.iter().map(|tag| schema::tag_key(package, tag));
        let mut seen = self.read(keys.chain([schema::version_key(package, version.get())]).collect()).await?;
        let mut all = Vec::new();
        for tag in gated {
            let item: Option<TagItem> = seen.get(&schema::tag_key(package, &tag))?;
            let standing = item.map(|item| item.gates).unwrap_or_default();
            let all_standing: Vec<_> = standing.iter().map(|gate| (gate, true)).collect();
            let checks = self.check_each(package, version, &all_standing, &mut seen).await?;
            if !checks.is_empty() {
                all.push(TagGates { tag, checks });
            }
        }
        Ok(all)
    }

    /// Returns the result of each gate, and reads what that needs.
    async fn check_each(
        &self,
        package: &PackageName,
        version: Version,
        gates: &[(&Gate, bool)],
        seen: &mut Snapshot,
    ) -> Result<Vec<GateCheck>, Error> {
        loop {
            // After a read, because the server has stated its time by then.
            let now = self.now();
            let candidate = Candidate::Existing(version);
            match check(package, candidate, gates.iter().copied(), seen, now)? {
                Lookup::Ready(checks) => return Ok(checks),
                Lookup::Missing(keys) => {
                    let items = self.retrying(|| self.get_items(&keys)).await?;
                    seen.more(keys.into_iter().zip(items));
                }
            }
        }
    }
}
