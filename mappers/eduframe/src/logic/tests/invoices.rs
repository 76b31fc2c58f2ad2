//! Invoices: totals, numbers, payments.

use rollcall_mapper_sdk::logic::Class;
use serde_json::{Value, json};

use super::{members, office, why};

fn items() -> Value {
    json!([
        {"id": 1, "name": "Course", "units": 3, "unit_price": "33.335", "invoice_vat_id": 1},
        {"id": 2, "name": "Book", "units": 1, "unit_price": "12.50", "invoice_vat_id": 2},
        {"id": 3, "name": "Lunch", "units": 2, "unit_price": "10"},
    ])
}

fn accounts() -> rollcall_mapper_sdk::logic::Office<crate::Eduframe> {
    office()
        .with("Account", json!({"id": 8, "name": "Forge Ltd"}))
        .with("InvoiceVat", json!({"id": 1, "percentage": "21.0"}))
        .with("InvoiceVat", json!({"id": 2, "percentage": "9"}))
}

/// 3 × 33.335 is 100.01 and 21.00 of tax, a book is 12.50 and 1.13, two lunches are 20.00 and 4.20.
const TOTALS: [&str; 2] = ["132.51", "158.84"];

#[test]
fn an_invoice_adds_up_its_rounded_lines() {
    let mut office = accounts();
    let change = json!({"id": 50, "account_id": 8, "status": "concept", "invoice_items": items()});
    office.call("create-invoice").change(change).run().unwrap();
    assert_eq!(members(&office, "Invoice", 50, &["total_excl", "total_incl"]), json!(TOTALS));
    assert_eq!(
        members(&office, "Invoice", 50, &["total_open", "reference_id", "description"]),
        json!(["158.84", "academy-50", "Course, Book, Lunch"])
    );
    let items = &office.record("Invoice", 50).unwrap()["invoice_items"];
    assert_eq!(items[2]["created_at"], "2026-08-30T07:00:00.000Z");
}

#[test]
fn what_is_no_line_is_declined() {
    let table = [
        (json!({"units": 1, "unit_price": "1", "invoice_vat_id": 9}), "reference"),
        (json!({"units": 1, "unit_price": "one"}), "format"),
        (json!({"units": 9_000_000_000_000_i64, "unit_price": "99999999999999999999.99"}), "too-large"),
    ];
    for (item, code) in table {
        let change = json!({"id": 50, "account_id": 8, "invoice_items": [item]});
        let decline = accounts().call("create-invoice").change(change).run().unwrap_err();
        assert_eq!((decline.class, decline.code.as_str()), (Class::Invalid, code));
    }
}

#[test]
fn opening_gives_the_next_number_of_the_year_once() {
    let concept = |id: i64| json!({"id": id, "account_id": 8, "status": "concept", "invoice_items": items()});
    let mut office = accounts().with("Invoice", concept(50)).with("Invoice", concept(51)).with("Invoice", concept(52));
    let opened = ["number", "number_int", "status", "expiration_date", "total_open"];
    for (id, now, expected) in [
        (50, "2026-12-31T23:00:00.000Z", json!(["2026-00001", 1, "open", "2027-01-30", "158.84"])),
        (51, "2026-12-31T23:30:00.000Z", json!(["2026-00002", 2, "open", "2027-01-30", "158.84"])),
        (52, "2027-01-01T00:10:00.000Z", json!(["2027-00001", 1, "open", "2027-01-31", "158.84"])),
    ] {
        office.call("open-invoice").about("Invoice", id).now(now).run().unwrap();
        assert_eq!(members(&office, "Invoice", id, &opened), expected);
        let again = office.call("open-invoice").about("Invoice", id).now(now).run().unwrap();
        assert_eq!(again.changes, []);
    }
    let free = json!({"id": 53, "account_id": 8, "status": "concept"});
    let mut office = accounts().with("Invoice", free);
    office.call("open-invoice").about("Invoice", 53).run().unwrap();
    assert_eq!(members(&office, "Invoice", 53, &["status", "total_incl"]), json!(["paid", "0.00"]));
}

fn open(status: &str, total_open: &str) -> Value {
    json!({"id": 50, "account_id": 8, "status": status, "total_open": total_open, "expiration_date": "2026-08-29"})
}

#[test]
fn payments_leave_less_to_pay() {
    let mut office = accounts().with("Invoice", open("expired", "158.84"));
    for (id, amount, left) in [(1, "100", json!(["58.84", "expired"])), (2, "58.84", json!(["0.00", "paid"]))] {
        let change = json!({"id": id, "invoice_id": 50, "amount": amount, "currency": "EUR", "date": "2026-08-30T07:00:00.000Z"});
        office.call("pay-invoice").path("invoice_id", 50).change(change).run().unwrap();
        assert_eq!(members(&office, "Invoice", 50, &["total_open", "status"]), left);
    }
    assert_eq!(members(&office, "Payment", 1, &["amount", "date", "status"]), json!(["100.00", "2026-08-30", "paid"]));
    office.call("delete-payment").about("Payment", 2).run().unwrap();
    assert_eq!(members(&office, "Invoice", 50, &["total_open", "status"]), json!(["58.84", "expired"]));
    assert_eq!(office.record("Payment", 2), None);
}

#[test]
fn what_cannot_be_paid_is_declined() {
    let table = [
        ("open", json!({"amount": "0"}), "amount", "amount"),
        ("open", json!({"amount": "-1"}), "amount", "amount"),
        ("open", json!({"amount": "0.005"}), "amount", "amount"),
        ("open", json!({"amount": "58.85"}), "amount", "amount"),
        ("open", json!({"amount": "1,50"}), "format", "amount"),
        ("open", json!({"amount": "1", "currency": "USD"}), "currency", "currency"),
        ("concept", json!({"amount": "1"}), "not-open", "invoice_id"),
        ("paid", json!({"amount": "60"}), "amount", "amount"),
    ];
    for (status, sent, code, field) in table {
        let mut office = accounts().with("Invoice", open(status, "58.84"));
        let mut change = json!({"id": 1, "invoice_id": 50});
        change.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        let decline = office.call("pay-invoice").path("invoice_id", 50).change(change).run().unwrap_err();
        assert_eq!(why(&decline), (Class::Invalid, code, field), "{status} {sent}");
    }
    let change = json!({"id": 1, "invoice_id": 51, "amount": "1"});
    let decline = accounts().call("pay-invoice").path("invoice_id", 51).change(change).run().unwrap_err();
    assert_eq!(decline.class, Class::Unknown);
}

#[test]
fn a_payment_that_failed_paid_nothing() {
    let payment = json!({"id": 1, "invoice_id": 50, "amount": "10", "status": "failed"});
    let mut office = accounts().with("Invoice", open("open", "158.84")).with("Payment", payment);
    office.call("delete-payment").about("Payment", 1).run().unwrap();
    assert_eq!(members(&office, "Invoice", 50, &["total_open", "status"]), json!(["158.84", "open"]));
}
