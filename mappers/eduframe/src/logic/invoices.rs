//! Invoices and what is paid on them. An invoice is a `concept` until it is opened, which gives it a number and a day; it
//! is `paid` when nothing is open any more.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use super::enrolling::today;
use super::known;
use super::money::Money;
use crate::Options;

/// Days that a customer has where the connection does not say.
const TERM_DAYS: i64 = 14;

#[derive(Debug, Deserialize)]
struct Invoice<'d> {
    id: i64,
    #[serde(default, borrow)]
    status: Text<'d>,
    #[serde(borrow)]
    total_open: Option<Text<'d>>,
    #[serde(borrow)]
    expiration_date: Option<Text<'d>>,
    #[serde(default, rename = "invoice_items")]
    items: Vec<Map<String, Value>>,
}

/// What a line of an invoice comes to.
#[derive(Debug, Deserialize)]
struct Line<'d> {
    units: Option<Number>,
    #[serde(borrow)]
    unit_price: Option<Text<'d>>,
    invoice_vat_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Vat<'d> {
    id: i64,
    #[serde(borrow)]
    percentage: Option<Text<'d>>,
}

#[derive(Debug, Deserialize)]
struct Educator<'d> {
    #[serde(borrow)]
    default_invoice_vat_multiplier: Option<Text<'d>>,
}

/// What all lines come to, without and with tax.
struct Totals {
    excluding: Money,
    including: Money,
}

/// `POST /invoices`
pub(super) fn create(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let invoice: Invoice<'_> = known::change(desk)?;
    let totals = totals(desk, &invoice.items)?;
    let items = invoice.items.into_iter().map(|mut item| {
        for name in ["created_at", "updated_at"] {
            item.insert(name.to_owned(), desk.now().into());
        }
        item
    });
    let items: Vec<_> = items.collect();
    let names: Vec<_> = items.iter().filter_map(|item| item.get("name")?.as_str()).collect();
    desk.keep_with(
        "Invoice",
        json!({
            "reference_id": format!("{}-{}", options.slug, invoice.id),
            "description": names.join(", "),
            "total_excl": totals.excluding.to_string(), "total_incl": totals.including.to_string(),
            "total_open": totals.including.to_string(), "invoice_items": items,
        }),
    );
    Ok(())
}

/// `POST /invoices/{id}/open`. Has no effect on an invoice that is no concept any more.
pub(super) fn open(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let invoice: Invoice<'_> = desk.record()?;
    if &*invoice.status != "concept" {
        return Ok(());
    }
    let totals = totals(desk, &invoice.items)?;
    let year = today(desk).get(..4).unwrap_or_default();
    let number = desk.number(&format!("$invoice/{year}"))?;
    let status = if totals.including == Money::ZERO { "paid" } else { "open" };
    desk.put(
        "Invoice",
        json!({
            "id": invoice.id, "status": status, "number": format!("{year}-{number:05}"), "number_int": number,
            "opened_at": desk.now(), "expiration_date": due(today(desk), options)?,
            "total_excl": totals.excluding.to_string(), "total_incl": totals.including.to_string(),
            "total_open": totals.including.to_string(),
        }),
    );
    Ok(())
}

/// The last day on which an invoice of today can be paid in time.
fn due(today: &str, options: &Options) -> Result<String, Stop> {
    let days = options.invoice_days.unwrap_or(TERM_DAYS);
    let date: Option<Date> = today.parse().ok();
    let date = date.and_then(|date| date.checked_add(days.days()).ok());
    date.map(|date| date.to_string()).ok_or_else(|| Stop::Failed("there is no such day".to_owned()))
}

/// Each line is rounded by itself, and so is its tax.
fn totals(desk: &Desk<'_>, items: &[Map<String, Value>]) -> Result<Totals, Stop> {
    const FIELD: &str = "invoice_items_attributes";
    let failed = |_| Stop::invalid("type", "is not a line of an invoice").at(FIELD);
    let lines: Vec<Line<'_>> = items.iter().map(Line::deserialize).collect::<Result<_, _>>().map_err(failed)?;
    let vats: Vec<_> = lines.iter().filter_map(|line| line.invoice_vat_id).collect();
    let (known, educators) = desk.all((
        desk.records::<Vat<'_>>("InvoiceVat").any("id", &vats),
        desk.records::<Educator<'_>>("Educator").limit(1),
    ))?;
    let percentages: BTreeMap<_, _> = known.into_iter().map(|vat| (vat.id, vat.percentage)).collect();
    let usual = educators.into_iter().next().and_then(|educator| educator.default_invoice_vat_multiplier);
    let usual = Money::parse(usual.as_deref().unwrap_or("1"), FIELD)?.minus(Money::count(1))?;
    let mut totals = Totals { excluding: Money::ZERO, including: Money::ZERO };
    for line in &lines {
        let units = line.units.as_ref().map_or_else(|| "1".to_owned(), ToString::to_string);
        let price = Money::parse(line.unit_price.as_deref().unwrap_or("0"), FIELD)?;
        let excluding = price.times(Money::parse(&units, FIELD)?)?;
        let rate = match line.invoice_vat_id {
            Some(id) => {
                let missing = || Stop::invalid("reference", "there is no such InvoiceVat").at(FIELD);
                let percentage = percentages.get(&id).ok_or_else(missing)?;
                Money::parse(percentage.as_deref().unwrap_or("0"), FIELD)?.percent()
            }
            None => usual,
        };
        totals.excluding = totals.excluding.plus(excluding)?;
        totals.including = totals.including.plus(excluding)?.plus(excluding.times(rate)?)?;
    }
    Ok(totals)
}

#[derive(Debug, Deserialize)]
struct Payment<'d> {
    id: i64,
    invoice_id: i64,
    #[serde(borrow)]
    amount: Text<'d>,
    #[serde(borrow)]
    currency: Option<Text<'d>>,
    #[serde(borrow)]
    date: Option<Text<'d>>,
    #[serde(default, borrow)]
    status: Text<'d>,
}

/// `POST /invoices/{invoice_id}/payments`
pub(super) fn pay(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let payment: Payment<'_> = known::change(desk)?;
    let found = desk.records::<Invoice<'_>>("Invoice").key(payment.invoice_id)?;
    let invoice = found.ok_or_else(|| Stop::unknown("unknown", "there is no such invoice"))?;
    if &*invoice.status == "concept" {
        return Err(Stop::invalid("not-open", "the invoice is not open").at("invoice_id"));
    }
    if payment.currency.as_deref().is_some_and(|paid| paid != options.currency) {
        return Err(Stop::invalid("currency", "is not the currency of the invoice").at("currency"));
    }
    let amount = Money::parse(&payment.amount, "amount")?;
    if amount <= Money::ZERO || !amount.is_whole() {
        return Err(Stop::invalid("amount", "must be more than 0, with at most 2 decimals").at("amount"));
    }
    let open = still_open(&invoice)?;
    if amount > open {
        return Err(Stop::invalid("amount", "is more than is open").at("amount"));
    }
    let open = open.minus(amount)?;
    let date = payment.date.as_deref().and_then(|date| date.get(..10)).unwrap_or(today(desk));
    desk.keep_with("Payment", json!({"amount": amount.to_string(), "date": date, "status": "paid"}));
    let status = if open == Money::ZERO { "paid" } else { &invoice.status };
    desk.put("Invoice", json!({"id": invoice.id, "total_open": open.to_string(), "status": status}));
    Ok(())
}

/// `DELETE /invoices/{invoice_id}/payments/{id}`. What was paid is open again.
pub(super) fn delete_payment(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let payment: Payment<'_> = desk.record()?;
    desk.remove("Payment", payment.id);
    let invoice = desk.records::<Invoice<'_>>("Invoice").key(payment.invoice_id)?;
    let Some(invoice) = invoice.filter(|_| &*payment.status == "paid") else { return Ok(()) };
    let open = still_open(&invoice)?.plus(Money::parse(&payment.amount, "amount")?)?;
    let is_late = invoice.expiration_date.as_deref().is_some_and(|day| day < today(desk));
    let status = if is_late { "expired" } else { "open" };
    desk.put("Invoice", json!({"id": invoice.id, "total_open": open.to_string(), "status": status}));
    Ok(())
}

fn still_open(invoice: &Invoice<'_>) -> Result<Money, Stop> {
    Money::parse(invoice.total_open.as_deref().unwrap_or("0"), "total_open")
}
