//! Tasks: clients say that one is done, the server when and by whom.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::json;

use super::known::{self, Truth};
use crate::Options;

#[derive(Debug, Deserialize)]
struct Task<'d> {
    assignee_id: Option<i64>,
    #[serde(borrow)]
    completed_at: Option<Text<'d>>,
}

/// `POST /tasks` and `PUT /tasks/{id}`. It was whoever's credential it is, or whoever was to do it.
pub(super) fn complete(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let task: Task<'_> = known::change(desk)?;
    match (desk.argument::<Truth>("completed")?.map(|truth| truth.0), &task.completed_at) {
        (Some(true), None) => {
            let by = options.user_id.or(task.assignee_id);
            desk.keep_with("Task", json!({"completed_at": desk.now(), "completed_by_id": by}));
        }
        (Some(false), Some(_)) => desk.keep_with("Task", json!({"completed_at": null, "completed_by_id": null})),
        _ => desk.keep("Task"),
    }
    Ok(())
}
