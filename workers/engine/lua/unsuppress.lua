-- A suppressed incident turns out to have a cause of its own. Returns 1 if it was suppressed and is not any more.
local journal, schedule, notification = KEYS[1], KEYS[2], KEYS[3]
local incident_record, min_clean_sweeps = ARGV[1], tonumber(ARGV[2])
-- @include common/now.lua
-- @include common/wake.lua

local suppressed_by = redis.call('HGET', journal, 'suppressed_by')
if not suppressed_by or redis.call('HEXISTS', journal, 'ended') == 1 then return 0 end
local cause = redis.call('HMGET', suppressed_by, 'stage', 'ended', 'suppressed_by', 'clean_sweeps')
-- While the cause is open, is no symptom itself and was seen lately, these findings may be the rest of its trouble.
if cause[1] and not cause[2] and not cause[3] and tonumber(cause[4] or 0) < min_clean_sweeps then return 0 end
redis.call('HDEL', journal, 'suppressed_by')
-- An occurrence without evidence has not begun: it begins with the newest findings.
if redis.call('HEXISTS', journal, 'r:evidence') == 0 then redis.call('HSET', journal, 'r:incident', incident_record) end
wake(journal)
wake(notification)
return 1
