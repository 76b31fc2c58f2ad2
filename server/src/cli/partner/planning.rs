//! Says how far a plan is while it is being made.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::super::operator::Operator;

/// How often is asked how far it is.
const POLL: Duration = Duration::from_millis(500);

/// Does `work`, which has the plan of a partner made, and says meanwhile how far that is. A server that does not know is not
/// asked any more: it is another process that makes it, or an older one.
pub(super) fn while_told<T>(operator: &Operator, partner: &str, work: impl FnOnce() -> T) -> T {
    let (done, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut told = Vec::new();
            while ended.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                let Ok(now) = operator.read::<0>("plans", []) else { break };
                let lines: Vec<_> =
                    now["plans"].as_array().into_iter().flatten().filter_map(|plan| line(plan, partner)).collect();
                lines.iter().filter(|line| !told.contains(*line)).for_each(|line| eprintln!("{line}"));
                told = lines;
            }
        });
        let worked = work();
        drop(done);
        worked
    })
}

/// How far a plan is, in a line; none if it is of another partner, or has only begun.
fn line(plan: &Value, partner: &str) -> Option<String> {
    let connection = plan["connection"].as_str().filter(|_| plan["partner"] == partner)?;
    let (nth, connections) = (plan["lookedAt"].as_u64()? + 1, &plan["connections"]);
    let (records, of_records) = (&plan["records"], &plan["ofRecords"]);
    Some(format!("{connection} ({nth} of {connections}): {records} of {of_records} records read"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::line;

    #[test]
    fn how_far_a_plan_is_stands_in_a_line() {
        let mut plan = json!({
            "partner": "library", "connections": 3, "lookedAt": 1, "connection": "north/school",
            "records": 500, "ofRecords": 700,
        });
        assert_eq!(line(&plan, "library").unwrap(), "north/school (2 of 3): 500 of 700 records read");
        assert_eq!(line(&plan, "school"), None);
        plan.as_object_mut().unwrap().remove("connection");
        assert_eq!(line(&plan, "library"), None);
    }
}
