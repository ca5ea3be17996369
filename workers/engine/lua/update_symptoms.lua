-- Keep the newest findings of the services that suffer from an incident. Returns 1 if they changed.
local journal, schedule, notification = KEYS[1], KEYS[2], KEYS[3]
local symptoms_record = ARGV[1]
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/is_open.lua

-- Race: the incident ended after the sweep looked; its text stays as it was reported.
if not is_open(journal) then return 0 end
-- Unchanged findings wake no journal, so that no message is edited without need.
if redis.call('HGET', journal, 'r:symptoms') == symptoms_record then return 0 end
redis.call('HSET', journal, 'r:symptoms', symptoms_record)
wake(notification)
return 1
