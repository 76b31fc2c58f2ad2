//! Every limit of the runtime: its name, what it bounds, its default. Each is a setting under `limits:` in the
//! server's configuration, but those that follow from something else.
//!
//! To add one: add a field with its unit at the end of its name, say what happens when it is reached, give it a
//! default below.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a record's key, as a JSON list. More is a violation. No setting, for it follows from what an entry of an index
/// may hold in every database: two keys, that of a subscription and that of what it is told of.
pub const KEY_BYTES_MAX: usize = 1_000;

/// Bytes of all texts by which a record is found together, in one index. More is a violation; no setting, as above.
pub const INDEX_BYTES_MAX: usize = 2_000;

/// The limits of one server. `limits:` in the configuration changes single ones; the others keep their default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request body, after decompression. More is answered with 413.
    pub body_bytes_max: u64,
    /// Bytes of a request body as sent, before decompression. More is answered with 413.
    pub body_wire_bytes_max: u64,
    /// How many bytes come out of one byte of a compressed body, on the whole. More is a bomb: 413.
    pub body_expansion_max: u64,
    /// Seconds that the rest of a refused body is read and thrown away, so that its sender can read the answer.
    pub body_drain_seconds_max: u64,
    /// Seconds that a client may take to send its request's body.
    pub body_read_seconds_max: u64,
    /// Bytes of a body that is kept with a rejected delivery; a larger one is not kept.
    pub rejected_body_bytes_max: u64,
    /// Levels of nesting in a JSON body. Deeper is malformed.
    pub json_depth_max: u32,
    /// Violations listed in one answer. The answer says how many more there are.
    pub violations_max: usize,
    /// Warnings kept with one delivery; further ones are counted.
    pub warnings_max: usize,
    /// Changes that are kept, to be shown, of a delivery that is held.
    pub held_changes_max: usize,
    /// Bytes of what was sent, of which a likeness is drawn.
    pub likeness_bytes_max: usize,
    /// Bytes of a delivery that a version which runs beside looks at; larger ones are left out.
    pub shadow_bytes_max: usize,
    /// Deliveries that wait for a version which runs beside; further ones are left out.
    pub shadow_deliveries_max: usize,
    /// Days that a delivery is held; then it is discarded.
    pub held_days_max: u32,
    /// Deliveries that a rebuild works on in a second, so that it leaves something for others.
    pub replayed_per_second_max: u32,
    /// Rows in one page of a list.
    pub page_rows_max: u32,
    /// Bytes of records that are handed to one mapper instance at a time.
    pub batch_bytes: usize,
    /// Bytes of records that are mapped, and whose entities are written, as one piece. A larger delivery is worked on piece
    /// by piece: what its records say takes forty times its bytes in memory.
    pub piece_bytes: usize,
    /// Network connections that are served at the same time; further ones wait until one of these ends.
    pub sockets_max: usize,
    /// Seconds that a client may take to send the head of its next request, after which its network connection is closed.
    pub head_read_seconds_max: u64,
    /// Seconds until a partner's client is answered with 503 because its call is not done; what was begun goes on.
    pub call_seconds_max: u64,
    /// Calls that clients of one connection may make in a second, on the whole; further ones are answered with 429.
    pub calls_per_second_max: u32,
    /// Calls that they may make at once after a while without any.
    pub calls_burst_max: u32,
    /// Calls of one connection that may be in progress at the same time; further ones are answered with 429.
    pub calls_in_progress_max: usize,
    /// Deliveries of one connection that may wait for their turn; further ones are answered with 503.
    pub queue_deliveries_max: usize,
    /// Calls about single records of one connection that are worked on in one turn, and brought to the disk together.
    pub calls_together_max: usize,
    /// Milliseconds that one of them which is done waits for those after it, before it is brought to the disk without them.
    pub call_wait_milliseconds_max: u64,
    /// Deliveries of one connection that may be queued, acknowledged but not worked on; further ones are answered with 503.
    pub queued_deliveries_max: u64,
    /// Seconds that the oldest of them may have waited; while it is older, further ones are answered with 503.
    pub queued_age_seconds_max: u64,
    /// How often a delivery that was acknowledged first is begun, whether the process ended in the middle of it or it
    /// failed for a passing reason, before it fails for good and the connection's next one goes on.
    pub queued_attempts_max: u32,
    /// Seconds before a queued delivery that failed for a passing reason is begun again. The first wait is a second,
    /// each further one twice as long, up to this.
    pub queued_retry_seconds_max: u64,
    /// Connections whose queued deliveries one process works on at the same time.
    pub queues_in_progress_max: usize,
    /// Seconds that a process works on what one connection has queued before it is another one's turn.
    pub queue_turn_seconds: u64,
    /// Seconds after its last sign of life when a process counts as gone, and others take over what it had begun. It gives
    /// three signs in that time. Must be much longer than the clocks of machines differ.
    pub lease_seconds: u64,
    /// Seconds after which a process looks for something to do though nobody told it of anything.
    pub poll_seconds: u64,
    /// Webhooks that are being sent at the same time.
    pub sends_in_progress_max: u32,
    /// How many of these may go to one subscription; one, while it does not take them.
    pub sends_per_subscription_max: u32,
    /// How often a webhook is sent before it is given up, and the next one about the same record is sent.
    pub send_attempts_max: u32,
    /// Seconds before a webhook that was not taken is sent again for the first time. Each further wait is twice as long.
    pub send_retry_seconds_min: u64,
    /// The longest of these waits, in seconds.
    pub send_retry_seconds_max: u64,
    /// Bytes that are read, and kept, of what a subscriber answers.
    pub send_response_bytes_max: usize,
    /// Rows that are pruned at a time. Whoever writes waits for so many at most.
    pub prune_rows_max: u32,
    /// Seconds from one look for what need not be kept any longer to the next.
    pub prune_round_seconds: u64,
    /// Stored records that are mapped anew at a time. Whoever sends waits for so many at most; more are taken at a time only
    /// where one entity ties more of them together.
    pub remap_records: usize,
    /// Stored records of one connection that are mapped anew in a second, on the whole.
    pub remap_records_per_second_max: u32,
    /// Entities of each kind, and troubles of each record type, that a remap names; further ones are only counted.
    pub remap_details_max: usize,
    /// Deliveries of a partner that are looked at, to tell what gets lost of them.
    pub loss_deliveries_max: usize,
    /// Bytes of each; larger ones are left out.
    pub loss_bytes_max: usize,
    /// Records of each type whose values are tried there, each as often as it has values.
    pub loss_records_max: usize,
    /// Records of one entity that are explained: each is mapped as often as it has values.
    pub explained_records_max: usize,
    /// Stored versions that are tried to find out which of them mapped a record, beside the one in use.
    pub explained_versions_max: usize,
    /// Seconds after which planning an upgrade looks at no further connection.
    pub plan_seconds_max: u64,
    /// Deliveries of one partner that are mapped at the same time.
    pub partner_mappings_max: usize,
    /// Seconds that running requests and deliveries have to finish when the server is told to stop. What is not finished
    /// then is given back: who starts next goes on with what was acknowledged.
    pub shutdown_seconds_max: u64,
    /// Seconds that a connection's credential stays valid after another one has taken its place, where nothing else is said.
    pub credential_overlap_seconds: u64,
    /// What a bundle may hold.
    pub bundle: BundleLimits,
    /// What the sandbox grants to a mapper.
    pub mapper: MapperLimits,
}

/// What a bundle may hold: a partner's folder and its mapper in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BundleLimits {
    /// Bytes of its file.
    pub bytes_max: u64,
    /// Bytes of what is in it, unpacked.
    pub unpacked_bytes_max: u64,
    /// Files that the partner's folder may have.
    pub files_max: usize,
}

/// What the sandbox grants to one mapper instance, that is to one batch of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MapperLimits {
    /// Fuel (about: WebAssembly instructions) for a batch, beside what its bytes add. Running out is a fault.
    pub fuel_base: u64,
    /// Fuel added for every byte of a batch's records: large input may take longer.
    pub fuel_per_byte: u64,
    /// Fuel that one delivery may use up in all, retries while narrowing a fault down included.
    pub fuel_per_delivery_max: u64,
    /// Milliseconds of wall-clock time for a batch. Guards the host; reaching it is the host's error, not a fault.
    pub deadline_ms: u64,
    /// Bytes of linear memory.
    pub memory_bytes_max: usize,
    /// Elements of a table.
    pub table_elements_max: usize,
    /// Bytes of WebAssembly stack.
    pub stack_bytes_max: usize,
    /// Bytes that are lifted out of the guest per call.
    pub result_bytes_max: usize,
    /// Contributions that one record may give.
    pub contributions_per_record_max: usize,
    /// Diagnostics that one record may give; further ones are counted.
    pub diagnostics_per_record_max: usize,
    /// Bytes of one source id, diagnostic code or message.
    pub text_bytes_max: usize,
    /// Levels of nesting in one value.
    pub depth_max: u32,
    /// Records of one delivery that may fault before the delivery is given up.
    pub faults_per_delivery_max: usize,
    /// Values of one record that are tried to find out what it depends on.
    pub places_per_record_max: usize,
    /// Calls that the logic of one component may take.
    pub calls_max: usize,
    /// Questions that one call may ask in all.
    pub questions_per_call_max: usize,
    /// How often one call may ask before it decides.
    pub rounds_per_call_max: usize,
    /// Records that one call may be handed in all.
    pub records_per_call_max: u32,
    /// Changes that one call may make, and events that it may raise.
    pub changes_per_call_max: usize,
    /// Bytes that a call may answer at a time.
    pub result_bytes_per_call_max: usize,
    /// Bytes of a component file.
    pub component_bytes_max: u64,
    /// Instances alive at the same time, over all partners.
    pub instances_max: u32,
    /// What is granted instead under the profile `wasi`, where the runtime of a language comes along.
    pub wasi: WasiLimits,
}

/// What the sandbox grants to an instance under the profile `wasi`, where that is something else; see [`MapperLimits`] for
/// the words. An interpreter takes a hundred times the steps, and has most of its memory before it is given anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WasiLimits {
    /// Fuel for a batch, beside what its bytes add.
    pub fuel_base: u64,
    /// Fuel added for every byte of a batch's records.
    pub fuel_per_byte: u64,
    /// Fuel that one delivery may use up in all.
    pub fuel_per_delivery_max: u64,
    /// Bytes of linear memory.
    pub memory_bytes_max: usize,
    /// Elements of a table.
    pub table_elements_max: usize,
    /// Bytes of WebAssembly stack.
    pub stack_bytes_max: usize,
    /// Bytes of a component file.
    pub component_bytes_max: u64,
    /// Instances alive at the same time, over all partners.
    pub instances_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 128 << 20,
            body_wire_bytes_max: 128 << 20,
            body_expansion_max: 200,
            body_drain_seconds_max: 30,
            body_read_seconds_max: 120,
            rejected_body_bytes_max: 1 << 20,
            json_depth_max: 64,
            violations_max: 100,
            warnings_max: 100,
            held_changes_max: 200,
            likeness_bytes_max: 8 << 20,
            shadow_bytes_max: 1 << 20,
            shadow_deliveries_max: 64,
            held_days_max: 14,
            replayed_per_second_max: 500,
            page_rows_max: 10_000,
            batch_bytes: 128 << 10,
            piece_bytes: 1 << 20,
            sockets_max: 4_096,
            head_read_seconds_max: 60,
            call_seconds_max: 300,
            calls_per_second_max: 10_000,
            calls_burst_max: 20_000,
            calls_in_progress_max: 256,
            queue_deliveries_max: 256,
            calls_together_max: 16,
            call_wait_milliseconds_max: 20,
            queued_deliveries_max: 100_000,
            queued_age_seconds_max: 24 * 60 * 60,
            queued_attempts_max: 20,
            queued_retry_seconds_max: 60,
            queues_in_progress_max: 8,
            queue_turn_seconds: 1,
            lease_seconds: 30,
            poll_seconds: 5,
            sends_in_progress_max: 64,
            sends_per_subscription_max: 4,
            send_attempts_max: 16,
            send_retry_seconds_min: 10,
            send_retry_seconds_max: 6 * 60 * 60,
            send_response_bytes_max: 1_024,
            prune_rows_max: 200,
            prune_round_seconds: 60,
            remap_records: 500,
            remap_records_per_second_max: 5_000,
            remap_details_max: 200,
            loss_deliveries_max: 1_000,
            loss_bytes_max: 1 << 20,
            loss_records_max: 50,
            explained_records_max: 20,
            explained_versions_max: 20,
            plan_seconds_max: 240,
            partner_mappings_max: 4,
            shutdown_seconds_max: 30,
            credential_overlap_seconds: 24 * 60 * 60,
            bundle: BundleLimits::default(),
            mapper: MapperLimits::default(),
        }
    }
}

impl Default for BundleLimits {
    fn default() -> Self {
        Self { bytes_max: 64 << 20, unpacked_bytes_max: 256 << 20, files_max: 2_000 }
    }
}

impl Default for MapperLimits {
    fn default() -> Self {
        Self {
            fuel_base: 50_000_000,
            fuel_per_byte: 5_000,
            fuel_per_delivery_max: 500_000_000_000,
            deadline_ms: 30_000,
            memory_bytes_max: 64 << 20,
            table_elements_max: 10_000,
            stack_bytes_max: 512 << 10,
            result_bytes_max: 32 << 20,
            contributions_per_record_max: 100_000,
            diagnostics_per_record_max: 20,
            text_bytes_max: 1_024,
            depth_max: 16,
            faults_per_delivery_max: 100,
            places_per_record_max: 2_000,
            calls_max: 256,
            questions_per_call_max: 1_000,
            rounds_per_call_max: 32,
            records_per_call_max: 20_000,
            changes_per_call_max: 10_000,
            result_bytes_per_call_max: 4 << 20,
            component_bytes_max: 32 << 20,
            instances_max: 64,
            wasi: WasiLimits::default(),
        }
    }
}

impl Default for WasiLimits {
    fn default() -> Self {
        Self {
            fuel_base: 5_000_000_000,
            fuel_per_byte: 200_000,
            fuel_per_delivery_max: 20_000_000_000_000,
            memory_bytes_max: 128 << 20,
            table_elements_max: 20_000,
            stack_bytes_max: 1 << 20,
            component_bytes_max: 64 << 20,
            instances_max: 32,
        }
    }
}
