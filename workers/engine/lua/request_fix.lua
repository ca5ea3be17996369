-- Send an incident that is only watched back to `plan`, because a person asked for a fix. Returns 1 if it is due,
-- 2 if a worker holds its claim, 0 if there is nothing to fix.
local journal, schedule = KEYS[1], KEYS[2]
-- ARGV[1] onwards: fields of the records that are made again
-- @include common/now.lua
-- @include common/wake.lua

local state = redis.call('HMGET', journal, 'stage', 'lease', 'ended', 'r:pull')
-- Race: the person saw an older state; the incident moved on, ended or has a pull request by now.
if state[1] ~= 'watch' or state[3] or state[4] then return 0 end
-- Race: a worker follows it up at this moment and would advance it to another stage.
if tonumber(state[2] or 0) > now then return 2 end
redis.call('HDEL', journal, 'lease', 'not_before', 'r:outcome', unpack(ARGV))
redis.call('HSET', journal, 'stage', 'plan')
-- A worker whose lease expired, and that only stood still, loses its claim.
redis.call('HINCRBY', journal, 'fence', 1)
redis.call('HINCRBY', journal, 'fix_requests', 1)
if #ARGV > 0 then redis.call('HINCRBY', journal, 'generation', 1) end
wake(journal)
return 1
