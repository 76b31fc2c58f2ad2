//! Turns the catalogue, and who asks for what stands in it and pays for that, into products, offers, orders, invoices,
//! payments and leads.

use rollcall_mapper_sdk::canonical::{
    Category, CourseRef, Invoice, InvoiceLine, InvoicePaymentStatus, Lead, LeadLeadStatus, Offer, Order,
    OrderOrderStatus, Payment, PaymentActionStatus, Product, ProgramRef, TagRef,
};
use rollcall_mapper_sdk::{Contributions, Text};

use crate::partner::{self, InvoiceStatus, LeadStatus, OrderStatus, PaymentStatus, ProductableType, VariantableType};
use crate::{Options, address, day, ids, said};

/// A heading of the catalogue.
pub(crate) fn map_category(category: &partner::Category<'_>, out: &mut Contributions) {
    out.add(
        &ids::category(category.id),
        &Category {
            name: Some((&category.name).into()),
            description: said(category.description.as_ref()),
            position: category.position,
            parent: category.parent_id.map(|id| ids::category(id).into()),
            ..Category::default()
        },
    );
}

/// What is sold. It is called as the course or program is, which says so itself.
pub(crate) fn map_product(product: &partner::CatalogProduct<'_>, out: &mut Contributions) {
    let id = product.productable_id;
    let (course, program) = match product.productable_type {
        ProductableType::Course => (Some(CourseRef::from(ids::course(id))), None),
        ProductableType::ProgramProgram => (None, Some(ProgramRef::from(ids::program(id)))),
    };
    out.add(&ids::product(product.id), &Product { course, program, ..Product::default() });
}

/// When it can be had. What it costs is said by what it leads to.
pub(crate) fn map_variant(variant: &partner::CatalogVariant<'_>, out: &mut Contributions) {
    let class = match variant.variantable_type {
        VariantableType::PlannedCourse => ids::planned_course(variant.variantable_id),
        VariantableType::ProgramEdition => ids::program_edition(variant.variantable_id),
    };
    out.add(
        &ids::variant(variant.id),
        &Offer {
            item_offered: Some(ids::product(variant.product_id).into()),
            sku: said(variant.sku.as_ref()),
            class: Some(class.into()),
            ..Offer::default()
        },
    );
}

/// Who asks for what, for whom.
pub(crate) fn map_order(order: &partner::Order<'_>, options: &Options, out: &mut Contributions) {
    let status = match order.status {
        Some(OrderStatus::Active) => OrderOrderStatus::Approved,
        Some(OrderStatus::Canceled) => OrderOrderStatus::Cancelled,
        Some(OrderStatus::Denied) => OrderOrderStatus::Denied,
        Some(OrderStatus::Requested) | None => OrderOrderStatus::Requested,
    };
    let number = order.number.unwrap_or(order.id).to_string();
    let students = order.order_items.iter().filter_map(|item| item.student_id);
    let price = said(order.total_cost_incl.as_ref());
    out.add(
        &ids::order(order.id),
        &Order {
            order_number: Some(number.into()),
            order_status: Some(status),
            order_date: day(order.created_at.as_ref()),
            customer: order.creator_id.map(|id| ids::user(id).into()),
            billed_to: order.account_id.map(|id| ids::account(id).into()),
            accepted_offer: Some(ids::variant(order.catalog_variant_id).into()),
            students: students.map(|id| ids::user(id).into()).collect(),
            price_currency: price.as_ref().map(|_| (&options.currency).into()),
            price,
            comment: said(order.customer_comment.as_ref()),
            tags: tags(&order.label_ids),
            ..Order::default()
        },
    );
}

/// Who has to pay what.
pub(crate) fn map_invoice(invoice: &partner::Invoice<'_>, options: &Options, out: &mut Contributions) {
    let status = match invoice.status {
        Some(InvoiceStatus::Paid) => InvoicePaymentStatus::Complete,
        Some(InvoiceStatus::Open) => InvoicePaymentStatus::Due,
        Some(InvoiceStatus::Expired) => InvoicePaymentStatus::PastDue,
        Some(InvoiceStatus::Concept) | None => InvoicePaymentStatus::Ext("ext:draft".into()),
    };
    out.add(
        &ids::invoice(invoice.id),
        &Invoice {
            identifier: said(invoice.number.as_ref()),
            description: said(invoice.description.as_ref()),
            customer: Some(ids::account(invoice.account_id).into()),
            payment_status: Some(status),
            issue_date: day(invoice.opened_at.as_ref()),
            payment_due_date: day(invoice.expiration_date.as_ref()),
            total_excluding_tax: said(invoice.total_excl.as_ref()),
            total_including_tax: said(invoice.total_incl.as_ref()),
            total_payment_due: said(invoice.total_open.as_ref()),
            price_currency: Some((&options.currency).into()),
            lines: invoice.invoice_items.iter().map(line).collect(),
            ..Invoice::default()
        },
    );
}

fn line<'a>(item: &'a partner::InvoiceInvoiceItem<'_>) -> InvoiceLine<'a> {
    InvoiceLine {
        name: said(item.name.as_ref()),
        quantity: item.units.map(|units| Text::from(units.to_string())),
        unit_price: said(item.unit_price.as_ref()),
    }
}

/// What was paid.
pub(crate) fn map_payment(payment: &partner::Payment<'_>, out: &mut Contributions) {
    let status = match payment.status {
        Some(PaymentStatus::New) => PaymentActionStatus::Potential,
        Some(PaymentStatus::Open) => PaymentActionStatus::Active,
        Some(PaymentStatus::Failed | PaymentStatus::InternalServerError) => PaymentActionStatus::Failed,
        Some(PaymentStatus::Paid) | None => PaymentActionStatus::Completed,
    };
    out.add(
        &ids::payment(payment.id),
        &Payment {
            price: Some((&payment.amount).into()),
            price_currency: payment.currency.map(|currency| currency.as_str().into()),
            action_status: Some(status),
            payment_date: day(payment.date.as_ref()),
            payment_method_id: payment.payment_method_id.map(|id| id.to_string().into()),
            invoice: Some(ids::invoice(payment.invoice_id).into()),
            ..Payment::default()
        },
    );
}

/// Who may come to ask.
pub(crate) fn map_lead(lead: &partner::Lead<'_>, options: &Options, out: &mut Contributions) {
    let status = match lead.status {
        Some(LeadStatus::Prospect) | None => LeadLeadStatus::Open,
        Some(LeadStatus::WaitingList) => LeadLeadStatus::Waiting,
        Some(LeadStatus::Won) => LeadLeadStatus::Won,
        Some(LeadStatus::Lost) => LeadLeadStatus::Lost,
        Some(LeadStatus::Archive) => LeadLeadStatus::Archived,
    };
    let id = ids::lead(lead.id);
    let value = said(lead.value.as_ref());
    out.add(
        &id,
        &Lead {
            title: Some(said(lead.title.as_ref()).unwrap_or_else(|| (&id).into())),
            lead_status: Some(status),
            given_name: said(lead.first_name.as_ref()),
            family_name: said(lead.last_name.as_ref()),
            email: said(lead.email.as_ref()),
            telephone: said(lead.phone.as_ref()),
            works_for: said(lead.company_name.as_ref()),
            address: address(lead.address.as_ref()),
            price_currency: value.as_ref().map(|_| (&options.currency).into()),
            value,
            user: lead.user_id.map(|id| ids::user(id).into()),
            org: lead.account_id.map(|id| ids::account(id).into()),
            owner: lead.administrator_id.map(|id| ids::user(id).into()),
            products: lead.lead_products.iter().map(|one| ids::product(one.catalog_product_id).into()).collect(),
            tags: tags(&lead.label_ids),
            ..Lead::default()
        },
    );
}

fn tags(labels: &[i64]) -> Vec<TagRef<'static>> {
    labels.iter().map(|id| ids::label(*id).into()).collect()
}
