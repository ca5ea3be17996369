-- Take the journals that are due. Returns journal, stage, …
local schedule = KEYS[1]
local postpone_ms, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
-- @include common/now.lua

local due = {}
for _, journal in ipairs(redis.call('ZRANGEBYSCORE', schedule, '-inf', now, 'LIMIT', 0, limit)) do
  local stage = redis.call('HGET', journal, 'stage')
  if stage then
    -- Race: several dispatchers run. A postponed journal is left alone by the others, and is due again soon if its
    -- message gets lost.
    redis.call('ZADD', schedule, now + postpone_ms, journal)
    due[#due + 1] = journal
    due[#due + 1] = stage
  else
    -- The journal expired.
    redis.call('ZREM', schedule, journal)
  end
end
return due
