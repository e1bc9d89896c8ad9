//! A plan for people.

use crate::cli::json::{self, PlanLine};

/// Returns the lines of a plan, with one for each move: JSON that `apply` reads.
pub(in crate::cli) fn plan(plan: &PlanLine<'_>) -> Vec<String> {
    let message = plan.message.map(|message| format!("\"message\": {}, ", json::line(&message)));
    let mut lines = vec![format!("{{{}\"moves\": [", message.unwrap_or_default())];
    for (at, it) in plan.moves.iter().enumerate() {
        let comma = if at + 1 < plan.moves.len() { "," } else { "" };
        lines.push(format!("  {}{comma}", json::line(it)));
    }
    lines.push("]}".to_owned());
    lines
}
