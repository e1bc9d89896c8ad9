//! Applying or undoing a plan.

use super::{
    destination::{Destination, Move},
    moves::Moving,
    undo::Undoing,
};
use crate::{
    ledger::{ApplyRequest, Error, TableLedger},
    model::TagMove,
};

impl TableLedger {
    /// Implements [`Ledger::apply`](crate::ledger::Ledger::apply).
    pub(in crate::ledger) async fn apply_moves(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        match self.apply_plan(request, false).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain_moves(request, error).await),
        }
    }

    /// Implements [`Ledger::preview`](crate::ledger::Ledger::preview).
    pub(in crate::ledger) async fn preview_moves(
        &self,
        request: &ApplyRequest,
    ) -> Result<Vec<TagMove>, Error> {
        match self.apply_plan(request, true).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain_moves(request, error).await),
        }
    }

    /// Makes the moves of a plan or undoes them; or only returns what would happen.
    async fn apply_plan(&self, request: &ApplyRequest, dry: bool) -> Result<Vec<TagMove>, Error> {
        let author = &request.author;
        let moves = self.moves_of(request).await;
        let moves = moves.map_err(|error| if dry { error } else { error.unresolved(author) })?;
        if request.undo {
            self.commit_or_dry_run(&Undoing::new(request, moves)?, author, dry).await
        } else {
            self.commit_or_dry_run(&Moving::plan(moves, author.clone())?, author, dry).await
        }
    }

    /// Returns the moves of a plan, with its times resolved.
    async fn moves_of(&self, request: &ApplyRequest) -> Result<Vec<Move>, Error> {
        let mut moves = Vec::new();
        for planned in request.plan.moves() {
            let to = match &planned.to {
                Some(spec) if request.undo => Destination::Spec(spec.clone()),
                Some(spec) => self.destination(&planned.package, spec).await?,
                None => Destination::Off,
            };
            moves.push(Move {
                package: planned.package.clone(),
                tag: planned.tag.clone(),
                to,
                expect: planned.expect,
                require: planned.require.clone(),
                overriding: planned.overriding.clone(),
                confirmed: planned.confirm.as_ref() == Some(&planned.tag),
                emergency: request.emergency.clone(),
            });
        }
        Ok(moves)
    }
}
