//! Walks every operation of the document that a server serves: each answers as it says, and refuses what is wrong as it
//! says. Requests are made from the document and from `walk.yaml`, so that a new operation is walked as it is described.

pub(super) mod document;
mod request;
mod table;
mod world;
mod wrong;

use std::collections::BTreeSet;

use document::{Document, Operation};
use request::Request;
use rollcall_tests::client::Client;
use rollcall_tests::database::Kind;
use serde_json::Value;
use table::Table;
use world::{Form, World};

use super::served::{OPERATOR, PARTNER, SCHOOL, site};
use crate::on_every_database;

on_every_database!(every_operation_answers_as_it_says_and_refuses_what_is_wrong);

fn every_operation_answers_as_it_says_and_refuses_what_is_wrong(kind: Kind) {
    let server = site(kind).start();
    let table = Table::read();
    set_up(&server, &table);
    let document = Document::new(server.get_json(&format!("/{PARTNER}/openapi.json"), ""));
    let operations = document.operations();
    assert!(operations.len() > 150, "there are {} operations only", operations.len());
    let mut world = World::new(&server, SCHOOL, &document, &table, &operations);
    let mut differences = Vec::new();
    for operation in &operations {
        let found = walk(&mut world, operation);
        differences.extend(found.into_iter().map(|difference| format!("{}: {difference}", operation.place())));
    }
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation.id.as_str()).collect();
    let unknown = table.operations.keys().filter(|id| !ids.contains(id.as_str()));
    differences.extend(unknown.map(|id| format!("walk.yaml: there is no operation {id}")));
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// Writes what only operators write.
fn set_up(client: &Client, table: &Table) {
    let bearer = format!("Bearer {OPERATOR}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for (of, records) in &table.operator {
        let path = format!("/admin/v1/tenants/north/connections/school/records/{of}");
        let body = Value::from(records.clone()).to_string();
        let answer = client.call("PUT", &path, &headers, Some(body.as_bytes()));
        assert_eq!(answer.status, 200, "{of}: {}", answer.text());
    }
}

/// Writes what only operators write, and makes all that any path speaks of.
pub(super) fn furnish(client: &Client) {
    let table = Table::read();
    set_up(client, &table);
    let document = Document::new(client.get_json(&format!("/{PARTNER}/openapi.json"), ""));
    let operations = document.operations();
    let mut world = World::new(client, SCHOOL, &document, &table, &operations);
    for operation in &operations {
        world.path(operation).unwrap_or_else(|error| panic!("{}: {error}", operation.place()));
    }
}

/// What an operation does otherwise than it says.
fn walk(world: &mut World<'_>, operation: &Operation) -> Vec<String> {
    let mut differences = Vec::new();
    let mut wrong_of = None;
    let forms: &[_] = if operation.body.is_some() { &[Form::Least, Form::Most] } else { &[Form::Least] };
    for form in forms {
        match world.request(operation, *form) {
            Ok(request) => {
                differences.extend(succeeds(world, operation, &request));
                wrong_of = Some(request);
            }
            Err(error) => differences.push(error),
        }
    }
    let Some(request) = wrong_of else { return differences };
    match asked(world, operation, &request) {
        Ok(requests) => differences.extend(requests.iter().flat_map(|asked| succeeds(world, operation, asked))),
        Err(error) => differences.push(error),
    }
    match fresh(world, operation, request) {
        Ok(request) => differences.extend(refuses(world, operation, &request)),
        Err(error) => differences.push(error),
    }
    differences
}

/// The same request for things that nothing was done to yet.
fn fresh(world: &mut World<'_>, operation: &Operation, mut request: Request) -> Result<Request, String> {
    request.path = world.path(operation)?;
    Ok(request)
}

fn succeeds(world: &World<'_>, operation: &Operation, request: &Request) -> Vec<String> {
    match world.succeed(operation, request) {
        Ok(answer) => {
            let found = world.document.differences(operation, &answer);
            found.into_iter().map(|difference| format!("{request}: {difference}")).collect()
        }
        Err(error) => vec![error],
    }
}

/// One request for each parameter of the query, and for each word that it may be.
fn asked(world: &mut World<'_>, operation: &Operation, request: &Request) -> Result<Vec<Request>, String> {
    let mut found = Vec::new();
    for parameter in operation.query() {
        for value in world.values(operation, parameter)? {
            let mut asked = request.clone();
            asked.query.push((parameter.name.clone(), value));
            found.push(asked);
        }
    }
    Ok(found)
}

/// Every wrong request is refused, and leaves the right one right.
fn refuses(world: &World<'_>, operation: &Operation, right: &Request) -> Vec<String> {
    let mut differences = Vec::new();
    for (what, request) in wrong::wrong(world, operation, right) {
        let answer = world.send(&request);
        if !(400..500).contains(&answer.status) {
            differences.push(format!("{what}: {request} was answered with {}: {}", answer.status, answer.text()));
            continue;
        }
        let found = world.document.differences(operation, &answer);
        differences.extend(found.into_iter().map(|difference| format!("{what}: {request}: {difference}")));
    }
    differences
}
