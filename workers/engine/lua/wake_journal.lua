-- Wake a journal, and set fields of it. Returns 0 if there is no such journal.
local journal, schedule = KEYS[1], KEYS[2]
-- ARGV[1] onwards: field, value, …
-- @include common/now.lua
-- @include common/wake.lua

-- Race: the journal expired; its fields alone would make a hash without a stage.
if redis.call('EXISTS', journal) == 0 then return 0 end
if #ARGV > 0 then redis.call('HSET', journal, unpack(ARGV)) end
wake(journal)
return 1
