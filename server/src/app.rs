//! Everything that a request handler needs, made once at start.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use rollcall_core::canonical::{Canonical, KindId};
use rollcall_core::description::{Partner, ProblemClass};
use rollcall_core::ingest::{Ingest, Sender};
use rollcall_core::store::Signal;
use rollcall_core::store::read::Reader;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::access::{Access, Principal};
use crate::admission::Admission;
use crate::backlog::Backlog;
use crate::condition::Condition;
use crate::config::Config;
use crate::gathering::Gathering;
use crate::hands::Hands;
use crate::metrics::Metrics;
use crate::presence::Signals;
use crate::problem::Problem;
use crate::rebuilding::Rebuilds;
use crate::registry::Registry;
use crate::remapping::Remaps;
use crate::shadow::Shadows;
use crate::turn::Turns;
use crate::versions::Versions;
use crate::webhook::Courier;

/// Everything that a request handler needs.
pub struct App {
    /// What this server was told.
    pub config: Arc<Config>,
    /// Which of the processes that work on one database this is.
    pub process: Uuid,
    /// Who may do what: see [`Self::access`].
    pub access: ArcSwap<Access>,
    /// The partners.
    pub registry: Registry,
    /// What runs beside them.
    pub shadows: Shadows,
    /// What operators' decisions are followed with.
    pub versions: Versions,
    /// What takes deliveries through all stages.
    pub ingest: Arc<Ingest>,
    /// What answers readers' questions.
    pub reader: Arc<dyn Reader>,
    /// Which calls go on at all.
    pub admission: Admission,
    /// How much is queued.
    pub backlog: Backlog,
    /// Whether the machine lets the store work.
    pub condition: Condition,
    /// Whose turn it is.
    pub turns: Turns,
    /// Who waits for a turn together with others.
    pub gathering: Gathering,
    /// Rung when a delivery was queued.
    pub bell: Notify,
    /// What this process is at.
    pub hands: Arc<Hands>,
    /// What the other processes are to be told.
    pub signals: Signals,
    /// What tells subscribers what happened.
    pub courier: Courier,
    /// How far rebuilds are.
    pub rebuilds: Rebuilds,
    /// How far mapping anew is.
    pub remaps: Remaps,
    /// Where what is rebuilt is folded.
    pub scratch: PathBuf,
    /// What is counted.
    pub metrics: Metrics,
    /// How often is looked at what no event tells.
    pub sample: Duration,
    /// What links in answers start with; what the caller used, where it is `None`.
    pub public_url: Option<String>,
    /// Whether the server is ready for work.
    pub ready: AtomicBool,
}

impl App {
    /// Who may do what now.
    pub fn access(&self) -> Arc<Access> {
        self.access.load_full()
    }

    /// Says that something was decided that all processes have to follow.
    pub fn decided(&self) {
        self.versions.decided();
        self.signals.tell(Signal::Decided);
    }

    /// Says that the server is, or is no longer, ready for work.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Whether the server is ready for work.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Says that a delivery was queued. Whoever here is at its queue already looks there again before leaving it.
    pub fn queued(&self, sender: &Sender) {
        if !self.hands.has_queue(&sender.tenant, &sender.connection) {
            self.bell.notify_one();
            self.signals.tell(Signal::Queued);
        }
    }

    /// Says that something happened of which this partner's subscribers may have to be told.
    pub fn told(&self, partner: &Partner) {
        if partner.webhooks.is_some() {
            self.courier.ring();
            self.signals.tell(Signal::Due);
        }
    }

    /// The kinds of entity.
    pub fn canonical(&self) -> &Canonical {
        &self.ingest.canonical
    }

    /// The kind called `name`.
    pub fn kind(&self, name: &str) -> Result<KindId, Problem> {
        self.canonical().id(name).ok_or_else(|| {
            let names: Vec<_> = self.canonical().kinds().iter().map(|kind| kind.name.as_str()).collect();
            Problem::unknown(format!("there is no such kind of entity; there are: {}", names.join(", ")))
        })
    }

    /// The tenant that the caller reads. Operators name it with `?tenant=`, unless there is only one.
    pub fn tenant(&self, headers: &HeaderMap, asked: Option<&str>) -> Result<String, Problem> {
        let credential = bearer(headers).ok_or_else(Problem::unauthenticated)?;
        let access = self.access();
        match access.principal(credential).ok_or_else(Problem::unauthenticated)? {
            Principal::Reader { tenant } if asked.is_none_or(|asked| asked == tenant) => Ok(tenant.clone()),
            Principal::Reader { .. } => Err(forbidden("this credential reads another tenant")),
            Principal::Connection(_) => Err(forbidden("this credential sends; it does not read")),
            Principal::Operator { .. } => Self::tenant_of_operator(&access, asked),
        }
    }

    /// Lets operators through, and no one else; says which one it is.
    pub fn operator(&self, headers: &HeaderMap) -> Result<String, Problem> {
        let credential = bearer(headers).ok_or_else(Problem::unauthenticated)?;
        match self.access().principal(credential).ok_or_else(Problem::unauthenticated)? {
            Principal::Operator { name } => Ok(name.clone()),
            _ => Err(forbidden("this is for operators")),
        }
    }

    /// What links in an answer start with: no slash at the end.
    pub fn base_url(&self, headers: &HeaderMap, uri: &Uri) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(Authority::as_str));
        host.map_or_else(String::new, |host| format!("http://{host}"))
    }

    fn tenant_of_operator(access: &Access, asked: Option<&str>) -> Result<String, Problem> {
        let tenants = access.tenants();
        match (asked, tenants) {
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(Problem::bad_parameter("tenant", "must name one; this credential reads all of them")),
            (Some(asked), _) => tenants
                .iter()
                .find(|tenant| *tenant == asked)
                .cloned()
                .ok_or_else(|| Problem::unknown("there is no such tenant")),
        }
    }
}

/// The credential of `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(credential.trim())
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(ProblemClass::Forbidden, "forbidden", detail)
}
