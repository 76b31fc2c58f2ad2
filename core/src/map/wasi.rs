//! An operating system in which there is nothing, for runtimes that cannot start without one: turns what a component
//! imports of WASI 0.2 into functions that always answer the same.
//!
//! Clocks stand still, random numbers are one stream that begins anew with each instance, input is at its end, output is
//! dropped, and there are no arguments, no environment, no files and no network. `wasmtime-wasi` could be told to be almost
//! this, but brings an asynchronous runtime and real files and sockets to be kept shut; here there is nothing to be shut.
//!
//! Only what can be called is written down. Without a file or a socket nobody can call what these can do, so all functions
//! that are not in [`answer`] end the instance. Values are untyped, so that every 0.2.x is served.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Resource, ResourceType, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::host::Guest;
use super::profile::served;

/// What all clocks show, in seconds of Unix time: 2000-01-01T00:00:00Z.
const NOW_SECONDS: u64 = 946_684_800;

/// Bytes of output that a guest is told it may write at a time.
const WRITE_BYTES_MAX: u64 = 4_096;

/// Random bytes that a guest may ask for at a time.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// Streams and other handles that a guest may hold at a time.
const HANDLES_MAX: usize = 1_024;

/// What random numbers are derived from.
const SEED: &str = "rollcall 2026-11-22 random numbers of a mapper that are always the same";

/// Everything that a guest holds of us; there is nothing behind it.
struct Nothing;

/// What a guest did that ends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forbidden {
    /// It called what nobody may call.
    #[error("it called {0}, which no mapper may")]
    Call(String),
    /// It wanted to end as a program does.
    #[error("it ended itself")]
    Exit,
    /// It asked for too much.
    #[error("it asked for more {0} than it may use")]
    Much(&'static str),
}

/// Random numbers that are the same for every instance.
pub(super) struct Random(blake3::OutputReader);

impl Default for Random {
    fn default() -> Self {
        Self(blake3::Hasher::new_derive_key(SEED).finalize_xof())
    }
}

impl Random {
    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, Forbidden> {
        let count = usize::try_from(count).ok().filter(|_| count <= RANDOM_BYTES_MAX);
        let mut bytes = vec![0; count.ok_or(Forbidden::Much("random bytes"))?];
        self.0.fill(&mut bytes);
        Ok(bytes)
    }

    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// Gives the component all that it imports.
pub(super) fn furnish(linker: &mut Linker<Guest>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let (Some(interface), ComponentItem::ComponentInstance(instance)) = (served(name), import.ty) else { continue };
        let mut functions = linker.instance(name)?;
        for (function, item) in instance.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    functions.resource(function, ResourceType::host::<Nothing>(), |mut store, _| {
                        let handles = &mut store.data_mut().handles;
                        *handles = handles.saturating_sub(1);
                        Ok(())
                    })?;
                }
                ComponentItem::ComponentFunc(_) => {
                    let answer = answer(interface, function);
                    let called = format!("{interface}#{function}");
                    functions.func_new(function, move |mut store, _, given, results| {
                        let answer = answer.ok_or_else(|| Forbidden::Call(called.clone()))?;
                        if let (Some(result), Some(value)) = (results.first_mut(), answer(&mut store, given)?) {
                            *result = value;
                        }
                        give_back(&mut store, given)
                    })?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What a function answers, given what it is called with; nothing where it answers nothing.
type Answer = fn(&mut StoreContextMut<'_, Guest>, &[Val]) -> wasmtime::Result<Option<Val>>;

/// What a function answers; `None` for one that nobody can or may call.
fn answer(interface: &str, function: &str) -> Option<Answer> {
    Some(match (interface, function) {
        ("wasi:cli/environment", "get-environment" | "get-arguments")
        | ("wasi:filesystem/preopens", "get-directories") => |_, _| Ok(Some(Val::List(Vec::new()))),
        ("wasi:cli/environment", "initial-cwd")
        | ("wasi:cli/terminal-stdin", "get-terminal-stdin")
        | ("wasi:cli/terminal-stdout", "get-terminal-stdout")
        | ("wasi:cli/terminal-stderr", "get-terminal-stderr")
        | ("wasi:filesystem/types", "filesystem-error-code") => |_, _| Ok(Some(Val::Option(None))),
        ("wasi:cli/exit", _) => |_, _| Err(Forbidden::Exit.into()),
        ("wasi:cli/stdin", "get-stdin")
        | ("wasi:cli/stdout", "get-stdout")
        | ("wasi:cli/stderr", "get-stderr")
        | ("wasi:sockets/instance-network", "instance-network")
        | ("wasi:clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration")
        | ("wasi:io/streams", "[method]input-stream.subscribe" | "[method]output-stream.subscribe") => handle,
        ("wasi:clocks/wall-clock", "now") => |_, _| Ok(Some(time(NOW_SECONDS, 0))),
        ("wasi:clocks/wall-clock", "resolution") => |_, _| Ok(Some(time(0, 1))),
        ("wasi:clocks/monotonic-clock", "now") => |_, _| Ok(Some(Val::U64(0))),
        ("wasi:clocks/monotonic-clock", "resolution") => |_, _| Ok(Some(Val::U64(1))),
        ("wasi:random/random", "get-random-bytes") | ("wasi:random/insecure", "get-insecure-random-bytes") => {
            random_bytes
        }
        ("wasi:random/random", "get-random-u64") | ("wasi:random/insecure", "get-insecure-random-u64") => {
            |store, _| Ok(Some(Val::U64(store.data_mut().random.number())))
        }
        ("wasi:random/insecure-seed", _) => |store, _| {
            let random = &mut store.data_mut().random;
            Ok(Some(Val::Tuple(vec![Val::U64(random.number()), Val::U64(random.number())])))
        },
        ("wasi:io/poll", "[method]pollable.ready") => |_, _| Ok(Some(Val::Bool(true))),
        ("wasi:io/poll", "[method]pollable.block") => |_, _| Ok(None),
        ("wasi:io/poll", "poll") => |_, given| Ok(Some(every(given))),
        ("wasi:io/streams", function) => return stream(function),
        ("wasi:sockets/tcp-create-socket" | "wasi:sockets/udp-create-socket", _)
        | ("wasi:sockets/ip-name-lookup", "resolve-addresses") => |_, _| {
            let denied = Val::Enum("access-denied".to_owned());
            Ok(Some(Val::Result(Err(Some(Box::new(denied))))))
        },
        _ => return None,
    })
}

/// Input has ended, output goes nowhere.
fn stream(function: &str) -> Option<Answer> {
    let (of, verb) = function.strip_prefix("[method]")?.split_once('.')?;
    Some(match (of, verb) {
        ("input-stream", "read" | "blocking-read" | "skip" | "blocking-skip") => |_, _| {
            let closed = Val::Variant("closed".to_owned(), None);
            Ok(Some(Val::Result(Err(Some(Box::new(closed))))))
        },
        ("output-stream", "check-write") => |_, _| Ok(Some(Val::Result(Ok(Some(Box::new(Val::U64(WRITE_BYTES_MAX))))))),
        (
            "output-stream",
            "write"
            | "blocking-write-and-flush"
            | "flush"
            | "blocking-flush"
            | "write-zeroes"
            | "blocking-write-zeroes-and-flush",
        ) => |_, _| Ok(Some(Val::Result(Ok(None)))),
        _ => return None,
    })
}

/// Ends the loan of every handle that a call was lent, as the engine wants it before the call returns.
fn give_back(store: &mut StoreContextMut<'_, Guest>, given: &[Val]) -> wasmtime::Result<()> {
    for value in given {
        match value {
            Val::Resource(handle) if !handle.owned() => handle.resource_drop(store.as_context_mut())?,
            Val::List(values) => give_back(store, values)?,
            _ => {}
        }
    }
    Ok(())
}

/// A new handle to nothing.
fn handle(store: &mut StoreContextMut<'_, Guest>, _: &[Val]) -> wasmtime::Result<Option<Val>> {
    let handles = &mut store.data_mut().handles;
    *handles += 1;
    if *handles > HANDLES_MAX {
        return Err(Forbidden::Much("handles").into());
    }
    let any = Resource::<Nothing>::new_own(0).try_into_resource_any(store.as_context_mut())?;
    Ok(Some(Val::Resource(any)))
}

fn random_bytes(store: &mut StoreContextMut<'_, Guest>, given: &[Val]) -> wasmtime::Result<Option<Val>> {
    let Some(Val::U64(count)) = given.first() else { return Err(Forbidden::Much("random bytes").into()) };
    let bytes = store.data_mut().random.bytes(*count)?;
    Ok(Some(Val::List(bytes.into_iter().map(Val::U8).collect())))
}

/// Whoever waits need not: all that is waited for is there.
fn every(given: &[Val]) -> Val {
    let count = if let Some(Val::List(waited)) = given.first() { waited.len() } else { 0 };
    Val::List((0..).take(count).map(Val::U32).collect())
}

fn time(seconds: u64, nanoseconds: u32) -> Val {
    Val::Record(vec![("seconds".to_owned(), Val::U64(seconds)), ("nanoseconds".to_owned(), Val::U32(nanoseconds))])
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::Forbidden;
    use crate::limits::MapperLimits;
    use crate::map::host::Sandbox;
    use crate::map::profile::Profile;

    /// Exports functions that do what they are called like.
    const GUEST: &str = r#"(component
        (import "wasi:io/poll@0.2.3" (instance $poll
            (export "pollable" (type $waited (sub resource)))
            (export "[method]pollable.block" (func (param "self" (borrow $waited))))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.7" (instance $clock
            (alias outer 1 $pollable (type $outer))
            (export "pollable" (type $waited (eq $outer)))
            (export "now" (func (result u64)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $waited))))))
        (import "wasi:random/random@0.2.0" (instance $random (export "get-random-u64" (func (result u64)))))
        (import "wasi:sockets/tcp@0.2.12" (instance $tcp (export "made-up" (func (result u64)))))
        (import "wasi:cli/exit@0.2.3" (instance $exit (export "exit-with-code" (func (param "code" u8)))))
        (core func $now (canon lower (func $clock "now")))
        (core func $wait (canon lower (func $clock "subscribe-duration")))
        (core func $block (canon lower (func $poll "[method]pollable.block")))
        (core func $free (canon resource.drop $pollable))
        (core func $draw (canon lower (func $random "get-random-u64")))
        (core func $made-up (canon lower (func $tcp "made-up")))
        (core func $end (canon lower (func $exit "exit-with-code")))
        (core module $module
            (import "" "now" (func $now (result i64)))
            (import "" "wait" (func $wait (param i64) (result i32)))
            (import "" "block" (func $block (param i32)))
            (import "" "free" (func $free (param i32)))
            (import "" "draw" (func $draw (result i64)))
            (import "" "made-up" (func $made-up (result i64)))
            (import "" "end" (func $end (param i32)))
            (func (export "now") (result i64) (call $now))
            (func (export "draw") (result i64) (call $draw))
            (func (export "made-up") (result i64) (call $made-up))
            (func (export "end") (result i64) (call $end (i32.const 0)) (i64.const 0))
            (func (export "wait") (result i64) (local $left i32) (local $until i32)
                (local.set $left (i32.const 5000))
                (loop $again
                    (call $block (local.tee $until (call $wait (i64.const 1))))
                    (call $free (local.get $until))
                    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                (i64.const 7))
            (func (export "hoard") (result i64)
                (loop $again (drop (call $wait (i64.const 1))) (br $again)) (i64.const 0)))
        (core instance $instance (instantiate $module (with "" (instance
            (export "now" (func $now)) (export "wait" (func $wait)) (export "block" (func $block))
            (export "free" (func $free)) (export "draw" (func $draw)) (export "made-up" (func $made-up))
            (export "end" (func $end))))))
        (func (export "now") (result u64) (canon lift (core func $instance "now")))
        (func (export "draw") (result u64) (canon lift (core func $instance "draw")))
        (func (export "made-up") (result u64) (canon lift (core func $instance "made-up")))
        (func (export "end") (result u64) (canon lift (core func $instance "end")))
        (func (export "wait") (result u64) (canon lift (core func $instance "wait")))
        (func (export "hoard") (result u64) (canon lift (core func $instance "hoard"))))"#;

    /// What a new instance answers, or what ended it.
    fn call(sandbox: &Sandbox, component: &Component, function: &str) -> Result<u64, Option<Forbidden>> {
        let mut store = sandbox.store(100_000_000);
        let instance = sandbox.linker(component).unwrap().instantiate(&mut store, component).unwrap();
        let function = instance.get_typed_func::<(), (u64,)>(&mut store, function).unwrap();
        let answer = function.call(&mut store, ()).map(|(number,)| number);
        answer.map_err(|error| error.downcast_ref::<Forbidden>().cloned())
    }

    #[test]
    fn there_is_nothing_and_it_is_always_the_same() {
        let sandbox = Sandbox::new(&MapperLimits::default(), Profile::Wasi).unwrap();
        let component = Component::new(&sandbox.engine, wat::parse_str(GUEST).unwrap()).unwrap();
        assert_eq!(call(&sandbox, &component, "now"), Ok(0));
        assert_eq!(call(&sandbox, &component, "wait"), Ok(7));
        let drawn = call(&sandbox, &component, "draw");
        assert_eq!(drawn, Ok(11_612_030_587_766_147_100), "random numbers must not change from release to release");
        assert_eq!(call(&sandbox, &component, "draw"), drawn);
        let made_up = Forbidden::Call("wasi:sockets/tcp#made-up".to_owned());
        assert_eq!(call(&sandbox, &component, "made-up"), Err(Some(made_up)));
        assert_eq!(call(&sandbox, &component, "end"), Err(Some(Forbidden::Exit)));
        assert_eq!(call(&sandbox, &component, "hoard"), Err(Some(Forbidden::Much("handles"))));
    }
}
