-- Reserve fault locations for an incident: all keys or none. Returns the incident that holds the first taken one,
-- or the asking incident itself.
-- KEYS[1] onwards: reservations
local holder, ttl_ms = ARGV[1], ARGV[2]
-- A cancelled incident's reservations stay for their last milliseconds, as its pull request may be under way.
local cancelled_ttl_ms = tonumber(ARGV[3])
-- @include common/is_open.lua

-- Race: two incidents with one fault location plan at the same time. Only one of them may fix it.
for _, key in ipairs(KEYS) do
  local other = redis.call('GET', key)
  if other and other ~= holder then
    if is_open(other) or redis.call('PTTL', key) <= cancelled_ttl_ms then return other end
  end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, holder, 'PX', ttl_ms) end
return holder
