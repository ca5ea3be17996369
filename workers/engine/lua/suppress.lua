-- Suppress the open incident of a service that only suffers from another incident's cause. Returns 1 if this is new.
local open_incidents, schedule, cause = KEYS[1], KEYS[2], KEYS[3]
local fingerprint = ARGV[1]
-- @include common/now.lua
-- @include common/wake.lua
-- @include common/is_open.lua
-- @include common/notification_of.lua

local symptom = redis.call('HGET', open_incidents, fingerprint)
if not symptom or symptom == cause then return 0 end
-- Race: the symptom's incident ended after the sweep looked.
if not is_open(symptom) then return 0 end
local suppressed_by = redis.call('HGET', symptom, 'suppressed_by')
-- While the incident that suppresses it is open, no other takes its place: people read one link, and it stays.
if suppressed_by and (suppressed_by == cause or is_open(suppressed_by)) then return 0 end
redis.call('HSET', symptom, 'suppressed_by', cause)
wake(symptom)
wake(notification_of(symptom))
return 1
