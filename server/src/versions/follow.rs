//! Follows what operators decide, wherever they were told it.

use std::sync::Arc;
use std::time::Duration;

use rollcall_core::store::StoreError;
use tokio::sync::watch;
use tokio::time::interval;

use super::lock;
use crate::access::Access;
use crate::app::App;
use crate::metrics;
use crate::registry::Table;
use crate::shadow;
use crate::worker::{blocking, is_over};

/// Follows until `stop` says so.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut poll = interval(Duration::from_secs(app.ingest.limits.poll_seconds.max(1)));
    while !is_over(&stop) {
        tokio::select! {
            _ = stop.changed() => return,
            () = app.versions.bell.notified() => {}
            _ = poll.tick() => {}
        }
        let following = Arc::clone(&app);
        match blocking(async move { catch_up(&following).await }).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => app.condition.suffer(&error, "following what was decided"),
            Err(message) => tracing::error!("following what was decided panicked: {message}"),
        }
    }
}

/// Does what was decided, if that is not done yet. Compiles: on a thread that may block.
pub async fn catch_up(app: &App) -> Result<(), StoreError> {
    let store = &*app.ingest.store;
    let before = app.registry.table();
    let now = app.ingest.clock.now();
    let ends = app.access().ends().is_some_and(|ends| ends <= now);
    if store.administration().generation().await? == before.generation && !ends {
        return Ok(());
    }
    let _turn = app.versions.turn.lock().await;
    let office = store.administration();
    let (setups, readers) = (office.setups().await?, office.readers().await?);
    let before = app.registry.table();
    let (mut table, behind) = app.versions.table(store, app.canonical(), &before).await?;
    if !behind.is_empty() {
        table.generation = before.generation; // it is looked again
    }
    shadow::follow(app, &table, before.generation).await?;
    tell(&before, &table);
    app.registry.replace(table);
    match Access::with(&app.config, &setups, &readers, now) {
        Ok(access) => app.access.store(Arc::new(access)),
        Err(error) => tracing::error!(%error, "who may do what stays as it was"), // it was right at the start
    }
    let was_behind = std::mem::replace(&mut *lock(&app.versions.behind), behind.clone());
    for reason in behind.iter().filter(|reason| !was_behind.contains(reason)) {
        tracing::error!("{reason}");
    }
    Ok(())
}

/// Logs and counts what changes.
fn tell(before: &Table, after: &Table) {
    for (partner, loaded) in &after.active {
        let was = before.active.get(partner);
        if was.is_none_or(|was| was.version != loaded.version) {
            let from = was.map(|was| was.version.short());
            tracing::info!(partner, from, to = loaded.version.short(), "another version is active");
        }
    }
    for partner in after.disabled.difference(&before.disabled) {
        tracing::info!(partner, "no version is active any more");
    }
    let (was, is) = (before.all(), after.all());
    for loaded in was.iter().filter(|was| !is.iter().any(|is| is.version == was.version)) {
        metrics::unloaded(loaded);
    }
    for loaded in is {
        metrics::loaded(loaded);
    }
}
