//! Freezing packages, and ending a freeze.

use crate::{
    ledger::{
        Author, Conflict, Error, FreezeRequest, NotFound, Refused, TableLedger, ThawRequest,
        engine::{
            attempt::Commit,
            idempotency::{key_read, used_for},
            operation::{Context, Operation, OutcomeRef, Proposal, Step},
        },
        schema::{
            self, FREEZES, FreezeEntry, FreezeFields, FreezeHead, InForce, MAX_FREEZES, Meta, PlanEntries,
            START, chained, encode, stamp, still_at,
        },
        snapshot::Snapshot,
    },
    model::{FreezeEvent, FreezeKind, PackageName, PackagePrefix, Timestamp},
    table::{Action, Change, Condition, Key},
};

/// The maximum number of attempts to create the ledger's identity first.
const MAX_TRIES: usize = 3;

/// A change of the freezes. Its outcome is `None` if the ledger has no identity yet.
#[derive(Debug)]
pub(in crate::ledger) enum Freezing<'a> {
    Freeze(&'a FreezeRequest),
    Thaw(&'a ThawRequest),
}

impl Freezing<'_> {
    fn author(&self) -> &Author {
        match self {
            Self::Freeze(request) => &request.author,
            Self::Thaw(request) => &request.author,
        }
    }

    fn prefix(&self) -> &PackagePrefix {
        match self {
            Self::Freeze(request) => &request.prefix,
            Self::Thaw(request) => &request.prefix,
        }
    }

    fn kind(&self) -> FreezeKind {
        match self {
            Self::Freeze(_) => FreezeKind::Freeze,
            Self::Thaw(_) => FreezeKind::Thaw,
        }
    }

    /// Checks that the change is allowed, given the freezes in force. Returns the freeze that is as requested already.
    fn check<'f>(&self, freezes: &'f InForce, now: Timestamp) -> Result<Option<&'f FreezeFields>, Error> {
        let pattern = self.prefix().pattern();
        let present = freezes.get(&pattern);
        match (self, present.filter(|present| present.is_in_force(now))) {
            (Self::Thaw(request), _) if present.is_none() => {
                Err(NotFound::Freeze(request.prefix.clone()).into())
            }
            (Self::Thaw(_), _) => Ok(None),
            (Self::Freeze(request), Some(present)) => {
                let until = request.until.map(|until| until.as_of(now));
                if present.strict == request.strict && present.until == until {
                    return Ok(Some(present));
                }
                Err(Refused::AlreadyFrozen(Box::new(present.to_freeze(&pattern)?)).into())
            }
            (Self::Freeze(request), None) => {
                match request.until.map(|until| until.as_of(now)).filter(|until| *until <= now) {
                    Some(until) => Err(Refused::PastUntil { until, now }.into()),
                    None if present.is_none() && freezes.len() >= MAX_FREEZES => {
                        Err(Refused::TooManyFreezes(MAX_FREEZES).into())
                    }
                    None => Ok(None),
                }
            }
        }
    }

    /// Returns the entry of the change, without its place in the log.
    fn entry(&self, when: Timestamp, clock: Option<Timestamp>, context: &Context<'_>) -> FreezeEntry {
        let (strict, until) = match self {
            Self::Freeze(request) => (request.strict, request.until.map(|it| it.as_of(context.now.at))),
            Self::Thaw(_) => (false, None),
        };
        FreezeEntry {
            kind: self.kind(),
            prefix: Some(self.prefix().clone()),
            strict,
            until,
            who: context.author.who(),
            when,
            clock,
            message: context.author.message.clone(),
            op: context.op.clone(),
            rev: 0,
            chain: String::new(),
        }
    }
}

/// Returns the action by which only releases that obey freezes may change the ledger from now on, unless that is so
/// already. It is never undone: so a change of an older release that has read the ledger's identity before can only be
/// in progress at the first freeze.
fn require_release(seen: &Snapshot) -> Result<Option<Action>, Error> {
    let key = schema::meta_key();
    if seen.item(&key).is_some_and(schema::knows_freezes) {
        return Ok(None);
    }
    let condition = seen.unchanged::<Meta>(&key);
    Ok(seen.get::<Meta>(&key)?.map(|mut meta| {
        schema::require_freezes(&mut meta.schema, &mut meta.rest);
        Action { key, condition, change: Change::Put(encode(&meta)) }
    }))
}

impl Operation for Freezing<'_> {
    type Outcome = Option<FreezeEvent>;

    fn package(&self) -> Option<&PackageName> {
        None
    }

    fn request_text(&self) -> String {
        let pattern = self.prefix().pattern();
        match self {
            Self::Freeze(FreezeRequest { strict, until, .. }) => {
                let strict = if *strict { " --strict" } else { "" };
                let until = until.map(|until| format!(" --until {until}")).unwrap_or_default();
                format!("freeze {pattern}{strict}{until}")
            }
            Self::Thaw(_) => format!("thaw {pattern}"),
        }
    }

    fn log(&self) -> String {
        FREEZES.to_owned()
    }

    fn reads(&self) -> Vec<Key> {
        let mut keys = vec![schema::meta_key(), schema::head_key(FREEZES)];
        keys.extend(key_read(self.author(), FREEZES));
        keys
    }

    fn reads_at_once(&self) -> bool {
        false
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        vec![schema::freeze_entry_key(number)]
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Option<FreezeEvent>>, Error> {
        let key = schema::head_key(FREEZES);
        let head: Option<FreezeHead> = seen.get(&key)?;
        let mut freezes = head.as_ref().map(|head| head.freezes.clone()).unwrap_or_default();
        if let Some(present) = self.check(&freezes, context.now.at)? {
            let FreezeFields { set, strict, until, who, when, message, .. } = present.clone();
            let (kind, prefix) = (FreezeKind::Freeze, Some(self.prefix().clone()));
            let outcome = FreezeEvent { kind, prefix, strict, until, message, rev: set, at: when, by: who };
            let (entry, logs) = (schema::freeze_entry_key(set), vec![self.log()]);
            let (moves, checks, outcome) = (PlanEntries::new(), Vec::new(), Some(outcome));
            return Ok(Step::Unchanged { outcome, entry, moves, logs, checks });
        }
        if seen.item(&schema::meta_key()).is_none() {
            return Ok(Step::Done(None));
        }
        let seen_rev = head.as_ref().map_or(0, |head| head.rev);
        let rev = seen_rev + 1;
        let (when, clock) = stamp(context.now.at, head.as_ref().map(|head| head.when));
        let entry = FreezeEntry { rev, ..self.entry(when, clock, context) };
        let slot = schema::freeze_entry_key(rev);
        let previous = head.as_ref().map_or(START, |head| &head.chain);
        let (item, chain) = chained(previous, &slot, encode(&entry));
        schema::replay(&mut freezes, &entry);
        let put = |key, condition, item| Action { key, condition, change: Change::Put(item) };
        let rest = head.map(|head| head.rest).unwrap_or_default();
        let head = encode(&FreezeHead { rev, chain, when, freezes, rest });
        let mut actions =
            vec![put(key, still_at(seen_rev), head), put(slot.clone(), Condition::Absent, item)];
        actions.extend(require_release(seen)?);
        Ok(Step::Commit(Proposal {
            actions,
            heads: vec![(self.log(), seen_rev)],
            slot: slot.clone(),
            number: rev,
            entry: slot,
            unchanged: false,
            moves: PlanEntries::new(),
            outcome: Some(entry.into_event()),
        }))
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Option<FreezeEvent>>, Error> {
        let Some(entry) = seen.get_referenced::<FreezeEntry>(&reference.entry)? else {
            return Ok(Step::Read(vec![reference.entry.clone()]));
        };
        if entry.kind == self.kind() && entry.prefix.as_ref() == Some(self.prefix()) {
            return Ok(Step::Done(Some(entry.into_event())));
        }
        let prefix = entry.prefix.map(|prefix| prefix.pattern()).unwrap_or_default();
        Err(used_for(format!("{} {prefix}", entry.kind), self, context))
    }
}

impl TableLedger {
    /// Implements [`Freezes::freeze`](crate::ledger::Freezes::freeze) and
    /// [`Freezes::thaw`](crate::ledger::Freezes::thaw).
    pub(in crate::ledger) async fn change_freezes(
        &self,
        operation: &Freezing<'_>,
    ) -> Result<FreezeEvent, Error> {
        let author = operation.author();
        let op = self.op_id(author);
        let commit = Commit { ledger: self, operation, author, op: &op };
        for _ in 0..MAX_TRIES {
            let changed = commit.run(None).await;
            if let Err(Error::NotFound(NotFound::Freeze(_))) = &changed {
                // Perhaps the log says so since a thaw that was interrupted.
                self.complete_freezes(&commit).await?;
            }
            if let Some(event) = changed? {
                // The change is recorded; it is not certain that all moves obey it.
                self.replicate(event.rev).await.map_err(|why| commit.unknown(event.rev, why))?;
                return Ok(event);
            }
            let key = schema::meta_key();
            let seen = self.read(vec![key]).await.map_err(|error| error.unresolved(operation.author()))?;
            self.make_identity(&seen).await?;
        }
        Err(Conflict::FreezeContention.into())
    }

    /// Completes the last change of the freezes.
    async fn complete_freezes(&self, commit: &Commit<'_, Freezing<'_>>) -> Result<(), Error> {
        let rev = self.read(vec![schema::head_key(FREEZES)]).await?.rev(FREEZES)?;
        if rev == 0 {
            return Ok(());
        }
        self.replicate(rev).await.map_err(|why| commit.unknown(rev, why))
    }
}
