//! All that can be read of what two databases came to, so that they can be compared: entities, foreign records, what
//! became of each delivery, what subscribers are to be told. Without times, which nobody promises.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::TENANTS;
use super::fleet::{self, Connection};
use super::verdict::{Kept, Stored};
use crate::client::Client;
use crate::site::project;

/// Rows that are asked for at once.
const PAGE: usize = 1_000;

/// What is there, by place.
pub(super) struct State {
    /// All of it, by a name for each.
    pub(super) rows: BTreeMap<String, Value>,
    /// What each subscription was or is to be told, by its path; the oldest first.
    pub(super) sends: BTreeMap<String, Vec<Send>>,
}

/// Something that a subscription was or is to be told.
#[derive(Debug)]
pub(super) struct Send {
    /// Its id.
    pub(super) id: String,
    /// What it happened to.
    pub(super) record: String,
    /// Whether it was taken, as far as the server knows.
    pub(super) is_taken: bool,
    /// What is told.
    told: Value,
}

impl State {
    /// Reads all of it; what became of deliveries was read before.
    pub(super) fn read(client: &Client, kept: &[Kept]) -> Self {
        let mut state = Self { rows: BTreeMap::new(), sends: BTreeMap::new() };
        for tenant in TENANTS {
            state.entities(client, tenant);
        }
        for (connection, stored) in kept {
            state.records(client, connection);
            state.deliveries(client, connection, stored);
            state.sends.extend(sends(client, connection));
        }
        for (path, sends) in &state.sends {
            let told = sends.iter().map(|send| send.told.clone()).collect();
            state.rows.insert(format!("told at {path}"), told);
        }
        state
    }

    fn entities(&mut self, client: &Client, tenant: &str) {
        for kind in kinds() {
            let mut after = String::new();
            loop {
                let path = format!("/api/v1/entities/{kind}?limit={PAGE}{after}");
                let page = client.get(&path, &fleet::reader(tenant));
                if page.status == 404 {
                    break; // the file describes no kind
                }
                let page = page.json();
                for entity in list(&page["entities"]) {
                    let place = format!("{tenant}: {kind} {}", entity["sourcedId"]);
                    self.rows.insert(place, timeless(entity));
                }
                let Some(next) = page["next"].as_str() else { break };
                after = format!("&after={next}");
            }
        }
    }

    fn records(&mut self, client: &Client, connection: &Connection) {
        let (tenant, name) = (connection.tenant, &connection.name);
        for record in connection.partner.records {
            for offset in (0..).step_by(PAGE) {
                let of = format!("/admin/v1/tenants/{tenant}/connections/{name}/records/{record}");
                let page = client.get_json(&format!("{of}?limit={PAGE}&offset={offset}"), "operator");
                let rows = list(&page["records"]);
                for row in rows {
                    self.rows.insert(format!("{tenant}/{name}: {record} {}", row["key"]), timeless(row));
                }
                if rows.len() < PAGE {
                    break;
                }
            }
        }
    }

    fn deliveries(&mut self, client: &Client, connection: &Connection, stored: &[Option<Stored>]) {
        for (nth, stored) in stored.iter().enumerate() {
            let Some(stored) = stored.as_ref().filter(|stored| stored.is_to_be_repeated()) else { continue };
            let place = format!("{}/{}: request {nth}", connection.tenant, connection.name);
            let mut became = json!({"status": stored.status, "report": stored.report});
            if connection.partner.name == "educacional" {
                let path = format!("/educacional/prod/instituicao/getLog/{}?limit={PAGE}", stored.id);
                let log = client.call("GET", &path, &[("x-api-key", &connection.credential())], None);
                assert_eq!(log.status, 200, "{path}: {}", log.text());
                became["log"] = log.json();
            }
            self.rows.insert(place, timeless(&became));
        }
    }
}

/// What is told to the subscriptions of a connection, by their paths.
pub(super) fn sends(client: &Client, connection: &Connection) -> BTreeMap<String, Vec<Send>> {
    let token = connection.credential();
    if connection.partner.name != "eduframe" {
        return BTreeMap::new(); // nobody else has subscribers
    }
    let subscriptions = client.get_json("/eduframe/api/v1/webhooks", &token);
    let told = |subscription: &Value| {
        let of = format!("/eduframe/api/v1/webhooks/{}/notifications", text(&subscription["id"]));
        list(&client.get_json(&of, &token)).iter().rev().map(Send::of).collect()
    };
    let path = |subscription: &Value| {
        let url = text(&subscription["url"]);
        url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default()
    };
    list(&subscriptions).iter().map(|subscription| (path(subscription), told(subscription))).collect()
}

impl Send {
    /// One that was taken, of which nothing else is known.
    #[cfg(test)]
    pub(super) fn new(id: &str, record: &str) -> Self {
        Self { id: id.to_owned(), record: record.to_owned(), is_taken: true, told: Value::Null }
    }

    fn of(notification: &Value) -> Self {
        let data = &notification["data"];
        let event = text(&data["event"]);
        let kind = event.split('.').next().unwrap_or_default();
        Self {
            id: text(&notification["id"]),
            record: format!("{kind} {}", data["event_data"]["id"]),
            is_taken: notification["status"] == "succeeded",
            told: timeless(&json!({"event": event, "data": data["event_data"]})),
        }
    }
}

/// Every kind of entity that the canonical model has.
fn kinds() -> Vec<String> {
    let files = fs::read_dir(project().join("schemas/canonical")).expect("it is there");
    let names = files.map(|file| file.expect("it can be read").path());
    let names = names.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect()
}

/// Without what differs from run to run: times, and ids that are made up.
fn timeless(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(timeless).collect(),
        Value::Object(members) => {
            let lasting = members.iter().filter(|(name, _)| !is_passing(name));
            lasting.map(|(name, value)| (name.clone(), timeless(value))).collect()
        }
        other => other.clone(),
    }
}

fn is_passing(member: &str) -> bool {
    ["dateLastModified", "uuid"].contains(&member) || member.ends_with("_at")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
