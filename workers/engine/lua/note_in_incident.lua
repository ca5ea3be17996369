-- Set a record of an incident from outside its stages, and wake the incident's notification, which shows it. Returns 0 if
-- the incident does not exist any more.
local journal, schedule, notification = KEYS[1], KEYS[2], KEYS[3]
local field, record = ARGV[1], ARGV[2]
-- @include common/now.lua
-- @include common/wake.lua

-- The incident itself is not woken: none of its stages reads the record, and an ended one stays ended.
if redis.call('EXISTS', journal) == 0 then return 0 end
redis.call('HSET', journal, field, record)
wake(notification)
return 1
