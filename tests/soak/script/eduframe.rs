//! An academy's client that writes single records and subscribes to what becomes of them: labels and courses are made,
//! changed and deleted, each request unlike any other.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Partner, Request, Script, json_headers};
use crate::client::Answer;

/// What it is called, and how.
pub(super) const PARTNER: Partner = Partner {
    name: "eduframe",
    options,
    headers: |credential| json_headers("authorization", format!("Bearer {credential}")),
    records: &["Label", "Category", "Course", "CatalogProduct"],
    script: |connection, subscriber| {
        let hook = format!("http://{subscriber}/{}/{}", connection.tenant, connection.name);
        Box::new(Academy { hook, is_subscribed: false, nth: 0, labels: Vec::new(), categories: Vec::new() })
    },
};

/// What subscribers are told of.
const EVENTS: [&str; 5] = ["label.created", "label.updated", "label.deleted", "category.created", "course.created"];

fn options() -> Value {
    json!({
        "slug": "north", "tenant_id": "7f4c1f5e-0d5e-4a57-9d53-6a3f5e0f2b11", "name": "North",
        "website_url": "https://north.example", "currency": "EUR",
    })
}

struct Academy {
    hook: String,
    is_subscribed: bool,
    nth: u64,
    labels: Vec<i64>,
    categories: Vec<i64>,
}

impl Script for Academy {
    fn next(&mut self, rng: &mut Rng) -> Request {
        self.nth += 1;
        let name = format!("Number {}", self.nth);
        if !self.is_subscribed {
            let hook = json!({"url": format!("{}/{}", self.hook, self.nth), "active": true, "events": EVENTS});
            return call("POST", "webhooks", &hook);
        }
        match (rng.u8(..10), rng.choice(&self.labels), rng.choice(&self.categories)) {
            (0, _, _) => call("POST", "categories", &json!({"name": name, "is_published": true})),
            (1, _, Some(category)) => {
                let course = json!({"category_id": category, "name": name, "code": format!("C-{}", self.nth)});
                call("POST", "courses", &course)
            }
            (2..=4, Some(label), _) => call("PUT", &format!("labels/{label}"), &json!({"name": name})),
            (5 | 6, Some(label), _) => {
                let label = *label;
                self.labels.retain(|other| *other != label);
                call("DELETE", &format!("labels/{label}"), &json!({"name": name}))
            }
            _ => call("POST", "labels", &json!({"name": name, "model_type": "Order", "color": "#000000"})),
        }
    }

    fn learn(&mut self, request: &Request, answer: &Answer) {
        if request.method != "POST" || answer.status != 201 {
            return;
        }
        let id = &answer.json()["id"];
        match (request.path.rsplit('/').next(), id.as_i64()) {
            (Some("labels"), Some(id)) => self.labels.push(id),
            (Some("categories"), Some(id)) => self.categories.push(id),
            (Some("webhooks"), _) => self.is_subscribed = true,
            _ => {}
        }
    }
}

fn call(method: &'static str, place: &str, body: &Value) -> Request {
    Request { method, path: format!("/eduframe/api/v1/{place}"), body: body.to_string().into_bytes() }
}
