//! Prunes what need not be kept any longer, in the background: a few rows at a time, and resting as long as each step took,
//! so that it is never in the way of those who send.

use std::sync::Arc;
use std::time::Duration;

use rollcall_core::retention::Prune;
use rollcall_core::store::StoreError;
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep};

use crate::access::Connection;
use crate::app::App;
use crate::worker::{blocking, is_over};

/// Prunes round after round, until `stop` says so.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut round = interval(Duration::from_secs(app.ingest.limits.prune_round_seconds.max(1)));
    while !is_over(&stop) {
        tokio::select! {
            _ = stop.changed() => {}
            _ = round.tick() => prune(&app, &stop).await,
        }
    }
}

/// One round over all connections; what cannot be pruned now is pruned in the next.
pub async fn prune(app: &Arc<App>, stop: &watch::Receiver<bool>) {
    for connection in app.access().connections() {
        for what in connection.retention.due(app.ingest.clock.now()) {
            match prune_one(app, connection, what, stop).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(
                    tenant = connection.sender.tenant,
                    connection = connection.sender.connection,
                    what = what.word(),
                    rows,
                    "pruned"
                ),
                Err(error) => app.condition.suffer(&error, "nothing could be pruned"),
            }
        }
    }
}

/// Prunes one thing of a connection, step by step; says how many rows went.
async fn prune_one(
    app: &Arc<App>,
    connection: &Arc<Connection>,
    what: Prune,
    stop: &watch::Receiver<bool>,
) -> Result<u64, StoreError> {
    let mut rows = 0;
    while !is_over(stop) {
        let start = Instant::now();
        let (app, connection) = (Arc::clone(app), Arc::clone(connection));
        let went = blocking(async move { step(&app, &connection, what).await });
        let went = went.await.map_err(StoreError::Inconsistent)??;
        if went == 0 {
            break;
        }
        rows += went;
        sleep(start.elapsed()).await;
    }
    Ok(rows)
}

async fn step(app: &App, connection: &Connection, what: Prune) -> Result<u64, StoreError> {
    let ingest = &app.ingest;
    let sender = &connection.sender;
    let stored = ingest.store.connection(&sender.tenant, &sender.connection, &connection.partner).await?;
    ingest.store.keeper().prune(&ingest.canonical, &stored, what, ingest.limits.prune_rows_max).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rollcall_core::retention::Retention;
    use serde_json::{Value, json};
    use tokio::sync::watch;

    use super::prune;
    use crate::fixture::{PARTNER, Site, TENANT};

    const DAY: Duration = Duration::from_hours(24);

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_old_goes_and_what_is_true_now_stays() {
        let mut site = Site::new();
        site.config.retention = Retention { bodies_days: Some(7), feed_days: Some(7), ..Retention::default() };
        site.config.limits.prune_rows_max = 1;
        let server = site.start().await;
        let post =
            async |body: &Value| server.call("POST", &format!("/{PARTNER}/attacks"), "school", &body.to_string()).await;
        let feed = async |query: &str| {
            let path = format!("/api/v1/changes?tenant={TENANT}{query}");
            server.send("GET", &path, &[("authorization", "Bearer operator")], "").await
        };
        let two = json!([{"id": 1, "do": "nothing"}, {"id": 2, "do": "nothing"}]);
        let first = post(&two).await.delivery.unwrap();
        let one = json!([{"id": 1, "do": "nothing"}]);
        let second = post(&one).await.delivery.unwrap();
        let before = feed("").await.body;
        assert_eq!(before["from"], Value::Null);
        site.clock.advance(DAY * 8);
        let stop = watch::channel(false);
        prune(&server.app, &stop.1).await;

        for delivery in [first, second] {
            assert!(server.app.reader.body(TENANT, delivery).await.unwrap().is_none());
            assert!(server.delivery(delivery).await.report.is_some());
        }
        assert_eq!(post(&one).await.body, post(&one).await.body, "it is still known to be what is there");
        assert_eq!(server.app.reader.deliveries(TENANT, None, None, 1).await.unwrap()[0].status.word(), "unchanged");

        let gone = before["changes"].as_array().unwrap().iter().filter(|change| change["status"] == "tobedeleted");
        let horizon = gone.map(|change| change["sequence"].as_i64().unwrap()).max().unwrap();
        let late = feed(&format!("&after={}", horizon - 1)).await;
        assert_eq!(
            (late.status, &late.body["type"]),
            (410, &json!("urn:rollcall:problem:full-read-needed")),
            "{}",
            late.body
        );
        let anew = feed("&after=0&limit=1").await;
        assert_eq!(anew.body["from"], horizon);
        let on = feed(&format!("&after={}&from={horizon}", anew.body["next"])).await;
        assert_eq!(on.status, 200, "{}", on.body);
        assert_eq!(feed(&format!("&after={horizon}")).await.status, 200);
    }
}
