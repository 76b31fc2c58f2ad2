//! What a client of the partner Jusoor does: it posts its branches with the headers that its vendor documents.

use serde_json::Value;

use crate::client::{Answer, Client};
use crate::school::Payload;

/// The partner's name.
pub const PARTNER: &str = "jusoor";

/// Where its clients post.
pub const BRANCHES: &str = "/jusoor/partner/branches";

/// The headers of a client with this token.
pub fn headers(token: &str) -> [(&'static str, &str); 4] {
    [
        ("token", token),
        ("referer", "https://school.example"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
    ]
}

/// Posts a payload.
pub fn post(client: &Client, token: &str, payload: &Payload) -> Answer {
    client.post(BRANCHES, &headers(token), &payload.to_bytes())
}

/// Posts a payload; anything but 200 is the test's end.
#[track_caller]
pub fn sync(client: &Client, token: &str, payload: &Payload) -> Value {
    let answer = post(client, token, payload);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}
