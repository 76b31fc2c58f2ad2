//! Orders: somebody asks, for themselves or others, for a place in what the catalogue offers. An order is `requested`
//! until it is approved, which enrols its students, or denied; it can be cancelled, and its enrollments with it.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::enrolling::{self, Subject};
use super::known::{self, Known};
use super::money::Money;
use super::people::{self, Person};
use super::programs;
use super::roles::Roles;
use crate::Options;

#[derive(Debug, Deserialize)]
struct Order<'d> {
    id: i64,
    #[serde(borrow)]
    status: Text<'d>,
    catalog_variant_id: i64,
    #[serde(default, rename = "order_items")]
    items: Vec<Item>,
    #[serde(default)]
    label_ids: Vec<i64>,
}

#[derive(Debug, Deserialize)]
struct Item {
    student_id: i64,
}

/// What was sent of an order.
#[derive(Debug, Deserialize)]
struct Sent<'d> {
    id: i64,
    catalog_variant_id: Option<i64>,
    planned_course_id: Option<i64>,
    creator_id: i64,
    account_id: Option<i64>,
    #[serde(borrow)]
    cost: Option<Text<'d>>,
    #[serde(borrow)]
    cost_scheme: Option<Text<'d>>,
}

/// What is asked for, by whom, for whom, and who pays.
#[derive(Debug)]
pub(super) struct Request<'d> {
    pub(super) id: i64,
    pub(super) variant_id: i64,
    pub(super) subject: Subject,
    pub(super) creator_id: i64,
    pub(super) account_id: i64,
    pub(super) students: Vec<i64>,
    pub(super) cost: Option<Text<'d>>,
    pub(super) cost_scheme: Option<Text<'d>>,
}

#[derive(Debug, Deserialize)]
struct Priced<'d> {
    #[serde(borrow)]
    cost: Option<Text<'d>>,
    #[serde(borrow)]
    cost_scheme: Option<Text<'d>>,
}

#[derive(Debug, Deserialize)]
struct Educator<'d> {
    #[serde(borrow)]
    default_invoice_vat_multiplier: Option<Text<'d>>,
}

/// `POST /orders`. Without students it is for whoever orders; `approve` approves it at once.
pub(super) fn place(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let sent: Sent<'_> = known::change(desk)?;
    let (variant_id, subject) = ordered(desk, sent.catalog_variant_id, sent.planned_course_id)?;
    let creator: Person<'_> = known::one(desk, "User", sent.creator_id, "creator_id")?;
    let students = known::argument(desk, "student_ids")?.filter(|students| !students.is_empty());
    let students = students.unwrap_or_else(|| vec![sent.creator_id]);
    known::each(desk, "User", &students, "student_ids")?;
    let account_id = match sent.account_id {
        Some(account_id) => account_id,
        None => people::personal_account(desk, &creator)?,
    };
    let (id, creator_id) = (sent.id, sent.creator_id);
    let mut roles = Roles::default();
    roles.give(creator_id, "customer");
    let (cost, cost_scheme) = (sent.cost, sent.cost_scheme);
    let request = Request { id, variant_id, subject, creator_id, account_id, students, cost, cost_scheme };
    let mut order = written(desk, &request)?;
    if known::says(desk, "approve")? {
        subject.enrol(desk, id, &request.students, &mut roles)?;
        order.insert("status".to_owned(), "active".into());
        desk.event("order.approved", "Order", id);
    }
    desk.keep_with("Order", order);
    roles.settle(desk)
}

/// The variant that is meant, and what it stands for. The planned course alone is the older way to say it.
pub(super) fn ordered(
    desk: &Desk<'_>,
    variant_id: Option<i64>,
    planned_course_id: Option<i64>,
) -> Result<(i64, Subject), Stop> {
    if let Some(variant_id) = variant_id {
        return Ok((variant_id, Subject::of(desk, variant_id, "catalog_variant_id")?));
    }
    let required = || Stop::invalid("required", "says what is ordered").at("catalog_variant_id");
    let course_id = planned_course_id.ok_or_else(required)?;
    let variants = desk.records::<Known>("CatalogVariant").with("variantable_type", "PlannedCourse");
    let variant = variants.with("variantable_id", course_id).first()?;
    let missing = || Stop::invalid("reference", "there is no such planned course").at("planned_course_id");
    Ok((variant.ok_or_else(missing)?.id, Subject::PlannedCourse(course_id)))
}

/// The members of a new order beside those that were sent.
pub(super) fn written(desk: &Desk<'_>, request: &Request<'_>) -> Result<Map<String, Value>, Stop> {
    let (of, subject_id) = match request.subject {
        Subject::PlannedCourse(id) => ("PlannedCourse", id),
        Subject::Edition(id) => ("ProgramEdition", id),
    };
    let (priced, educators) = desk.all((
        desk.records::<Priced<'_>>(of).with("id", subject_id),
        desk.records::<Educator<'_>>("Educator").limit(1),
    ))?;
    let priced = priced.into_iter().next().unwrap_or(Priced { cost: None, cost_scheme: None });
    let scheme = request.cost_scheme.clone().or(priced.cost_scheme).unwrap_or_else(|| "student".into());
    let cost = request.cost.clone().or(priced.cost);
    let excluding = match (&*scheme, &cost) {
        ("free", _) => Some(Money::ZERO),
        ("order", Some(cost)) => Some(Money::parse(cost, "cost")?),
        ("student", Some(cost)) => Some(Money::parse(cost, "cost")?.times(Money::count(request.students.len()))?),
        _ => None,
    };
    let multiplier = educators.into_iter().next().and_then(|educator| educator.default_invoice_vat_multiplier);
    let multiplier = Money::parse(multiplier.as_deref().unwrap_or("1"), "cost")?;
    let including = excluding.map(|amount| amount.times(multiplier)).transpose()?;
    let item = |student: &i64| json!({"order_id": request.id, "student_id": student, "created_at": desk.now(), "updated_at": desk.now()});
    let mut order = json!({
        "status": "requested", "origin": "api", "number_of_students": request.students.len(),
        "catalog_variant_id": request.variant_id, "creator_id": request.creator_id, "account_id": request.account_id,
        "cost": cost, "cost_scheme": scheme,
        "total_cost_excl": excluding.map(|amount| amount.to_string()),
        "total_cost_incl": including.map(|amount| amount.to_string()),
        "order_items": request.students.iter().map(item).collect::<Vec<_>>(),
    });
    if let Subject::PlannedCourse(id) = request.subject {
        order["planned_course_id"] = id.into();
    }
    Ok(if let Value::Object(order) = order { order } else { Map::new() })
}

/// `PUT /orders/{id}/approve`
pub(super) fn approve(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let order = requested(desk)?;
    let students: Vec<_> = order.items.iter().map(|item| item.student_id).collect();
    let mut roles = Roles::default();
    Subject::of(desk, order.catalog_variant_id, "catalog_variant_id")?.enrol(desk, order.id, &students, &mut roles)?;
    desk.put("Order", json!({"id": order.id, "status": "active"}));
    roles.settle(desk)
}

/// `PUT /orders/{id}/deny`
pub(super) fn deny(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let order = requested(desk)?;
    desk.put("Order", json!({"id": order.id, "status": "denied"}));
    Ok(())
}

/// The order that the call is about, if nobody has decided on it yet.
fn requested<'d>(desk: &Desk<'d>) -> Result<Order<'d>, Stop> {
    let order: Order<'_> = desk.record()?;
    if &*order.status == "requested" {
        return Ok(order);
    }
    Err(Stop::clash("not-requested", format!("the order is {} already", order.status)).at("status"))
}

/// `PUT /orders/{id}/cancel`
pub(super) fn cancel(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let order: Order<'_> = desk.record()?;
    if !["requested", "active"].contains(&&*order.status) {
        return Err(Stop::clash("over", format!("the order is {} already", order.status)).at("status"));
    }
    desk.put("Order", json!({"id": order.id, "status": "canceled"}));
    enrolling::cancel_all(desk, desk.records("Enrollment").with("order_id", order.id))?;
    programs::cancel_all(desk, order.id)
}

/// `POST /orders/{id}/labels`
pub(super) fn label(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    #[derive(Deserialize)]
    struct Label<'d> {
        id: i64,
        #[serde(borrow)]
        model_type: Text<'d>,
    }
    let order: Order<'_> = desk.record()?;
    let label_id = desk.argument("label_id")?;
    let label_id = label_id.ok_or_else(|| Stop::invalid("required", "says which label").at("label_id"))?;
    let label: Label<'_> = known::one(desk, "Label", label_id, "label_id")?;
    if &*label.model_type != "Order" {
        return Err(Stop::invalid("model-type", "the label is not for orders").at("label_id"));
    }
    if !order.label_ids.contains(&label.id) {
        let labels: Vec<_> = order.label_ids.iter().chain([&label.id]).collect();
        desk.put("Order", json!({"id": order.id, "label_ids": labels}));
    }
    Ok(())
}
