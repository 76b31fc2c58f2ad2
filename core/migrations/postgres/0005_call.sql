-- What has to be known of a delivery so that it can be worked on again from the database alone.

-- what the call said beside its body, json; null where it said nothing that its operation goes by
alter table delivery add column asked text;
-- the delivery that this one repeats
alter table delivery add column first uuid;
-- its place in the order in which deliveries of its connection were applied; null where it changed nothing
alter table delivery add column applied bigint;

update delivery d set applied = o.nth from (select tenant, connection, id, row_number() over (partition by tenant, connection
    order by finished_at, arrival) as nth from delivery where status = 'applied') o
    where o.tenant = d.tenant and o.connection = d.connection and o.id = d.id;

create unique index delivery_applied on delivery (tenant, connection, applied) where applied is not null;
-- what waits for an operator
create index delivery_held on delivery (tenant, connection) where status = 'held';
-- what came to nothing, the oldest first
create index delivery_troubled on delivery (id) where status in ('held', 'rejected', 'failed', 'interrupted');
