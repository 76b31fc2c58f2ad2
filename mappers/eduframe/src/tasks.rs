//! Turns tasks into tasks, with what they are about, and labels into tags.

use rollcall_mapper_sdk::Contributions;
use rollcall_mapper_sdk::canonical::{Tag, Task};

use crate::partner::{self, LabelModel};
use crate::{day, ids, said};

/// What somebody of the educator's has to do.
pub(crate) fn map_task(task: &partner::Task<'_>, out: &mut Contributions) {
    let mut entity = Task {
        summary: Some((&task.name).into()),
        description: said(task.description.as_ref()),
        due: day(task.due_date.as_ref()),
        completed: said(task.completed_at.as_ref()),
        attendee: task.assignee_id.map(|id| ids::user(id).into()),
        ..Task::default()
    };
    if let (Some(of), Some(id)) = (task.subject_type.as_deref(), task.subject_id) {
        match of {
            "Course" => entity.course = Some(ids::course(id).into()),
            "PlannedCourse" => entity.class = Some(ids::planned_course(id).into()),
            "Program::Program" => entity.program = Some(ids::program(id).into()),
            "Program::Edition" => entity.class = Some(ids::program_edition(id).into()),
            "Account" => entity.org = Some(ids::account(id).into()),
            "User" => entity.user = Some(ids::user(id).into()),
            "Lead" => entity.lead = Some(ids::lead(id).into()),
            "Order" => entity.order = Some(ids::order(id).into()),
            "Invoice" => entity.invoice = Some(ids::invoice(id).into()),
            _ => out.warn("unknown-subject", "/subject_type", "is no kind of thing that tasks are about"),
        }
    }
    out.add(&ids::task(task.id), &entity);
}

/// A word that things of one kind are marked with.
pub(crate) fn map_label(label: &partner::Label<'_>, out: &mut Contributions) {
    let marks = match label.model_type {
        LabelModel::Account => "account",
        LabelModel::CatalogProduct => "product",
        LabelModel::Lead => "lead",
        LabelModel::Order => "order",
        LabelModel::Teacher => "teacher",
        LabelModel::User => "user",
    };
    out.add(
        &ids::label(label.id),
        &Tag {
            name: Some((&label.name).into()),
            color: said(label.color.as_ref()),
            in_defined_term_set: Some(marks.into()),
            ..Tag::default()
        },
    );
}
