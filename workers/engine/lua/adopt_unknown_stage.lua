-- Send a journal whose stage no running worker knows to a known stage, after no newer worker claimed it for a while:
-- a deployment of a newer version was rolled back. Returns 1 if it was sent.
local journal, schedule = KEYS[1], KEYS[2]
local unknown_stage, known_stage, patience_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
-- @include common/now.lua

local state = redis.call('HMGET', journal, 'stage', 'fence', 'lease', 'unknown')
-- Race: a newer worker advanced it, or works on it now.
if state[1] ~= unknown_stage or tonumber(state[3] or 0) > now then return 0 end
-- The time since when it waits counts only for this stage and this fence: any claim in between starts it again.
local waiting = state[1] .. ' ' .. (state[2] or '0') .. ' '
local since = state[4] and string.sub(state[4], 1, #waiting) == waiting and tonumber(string.sub(state[4], #waiting + 1))
if not since then
  redis.call('HSET', journal, 'unknown', waiting .. now)
  return 0
end
if now - since < patience_ms then return 0 end
redis.call('HDEL', journal, 'unknown', 'lease', 'not_before', 'token')
redis.call('HSET', journal, 'stage', known_stage, 'reason', 'no worker knew the stage ' .. unknown_stage)
-- A newer worker that still holds the old claim loses it.
redis.call('HINCRBY', journal, 'fence', 1)
redis.call('ZADD', schedule, now, journal)
return 1
