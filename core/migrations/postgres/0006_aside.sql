-- Records that were not taken of deliveries that were: operators decide about them, too.

-- how many, as long as nobody has decided
alter table delivery add column aside bigint not null default 0;

update delivery set aside = errors where errors > 0 and status in ('applied', 'unchanged');

create index delivery_aside on delivery (id) where aside > 0;
