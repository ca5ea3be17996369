-- Send an incident that is only watched back to `plan`, because a person asked for a fix. Returns 'due',
-- 'running' if a worker holds its claim, 'changed' if there is nothing to fix any more, or 'repeated' if the request has
-- an answer.
local journal, schedule, request, audit = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local entry = ARGV[1]
-- ARGV[2] onwards: fields of the records that are made again
-- @include common/answer_once.lua
-- @include common/now.lua
-- @include common/wake.lua

local state = redis.call('HMGET', journal, 'stage', 'lease', 'ended', 'r:pull')
-- Race: the person saw an older state; the incident moved on, ended or has a pull request by now.
if state[1] ~= 'watch' or state[3] or state[4] then return 'changed' end
-- Race: a worker follows it up at this moment and would advance it to another stage.
if tonumber(state[2] or 0) > now then return 'running' end
redis.call('HDEL', journal, 'lease', 'not_before', 'r:outcome', unpack(ARGV, 2))
redis.call('HSET', journal, 'stage', 'plan')
-- A worker whose lease expired, and that only stood still, loses its claim.
redis.call('HINCRBY', journal, 'fence', 1)
redis.call('HINCRBY', journal, 'fix_requests', 1)
if #ARGV > 1 then redis.call('HINCRBY', journal, 'generation', 1) end
wake(journal)
conclude()
return 'due'
