-- What has to be known of a delivery so that it can be worked on again from the database alone.

-- what the call said beside its body, json; null where it said nothing that its operation goes by
alter table delivery add column asked text;
-- the delivery that this one repeats
alter table delivery add column first blob;
-- its place in the order in which deliveries of its connection were applied; null where it changed nothing
alter table delivery add column applied integer;

update delivery set applied = (select o.nth from (select id, row_number() over (partition by connection
    order by finished_at, rowid) as nth from delivery where status = 'applied') o where o.id = delivery.id)
    where status = 'applied';

create unique index delivery_applied on delivery (connection, applied) where applied is not null;
-- what waits for an operator
create index delivery_held on delivery (connection) where status = 'held';
-- what came to nothing, the oldest first
create index delivery_troubled on delivery (id) where status in ('held', 'rejected', 'failed', 'interrupted');
