alter table orders add column gift boolean;
