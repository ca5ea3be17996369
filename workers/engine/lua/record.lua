-- Write fields of a claimed journal. Returns 0 if the claim is lost.
local journal, counters = KEYS[1], KEYS[2]
local fence, token = ARGV[1], ARGV[2]
-- What the record counts in the metrics; '' if nothing.
local counts = ARGV[3]
-- ARGV[4] onwards: field, value, …
-- @include common/now.lua
-- @include common/count.lua
-- @include common/check_claim.lua

local fields = { unpack(ARGV, 4) }
local record = string.match(ARGV[4], '^r:(.*)')
if record then
  local recorded = redis.call('HMGET', journal, ARGV[4], 't:' .. record)
  -- A new record is progress: crashes and failed attempts are counted from zero again.
  if not recorded[1] then
    for _, part in ipairs({ 'crashes', 0, 'attempts', 0 }) do fields[#fields + 1] = part end
    redis.call('HDEL', journal, 'failing_since')
  end
  -- People read when an incident's records and its messages were made. The time of the first version stays, and that of
  -- the newest follows it.
  if string.match(journal, '^%w+:incident:') or string.match(journal, '^%w+:notification:') then
    local first = recorded[1] and string.match(recorded[2] or '', '^%d+')
    fields[#fields + 1] = 't:' .. record
    fields[#fields + 1] = first and first .. ' ' .. now or now
  end
end
if counts ~= '' then
  -- A record that is made again counts nothing. An update counts what it adds, but not if the client repeats it.
  local is_update = string.find(counts, '"update":true', 1, true)
  local is_new = is_update and redis.call('HGET', journal, ARGV[4]) ~= ARGV[5]
    or not is_update and redis.call('HSETNX', journal, 'c:' .. record, 1) == 1
  if is_new then count(journal, counters, counts) end
end
redis.call('HSET', journal, unpack(fields))
return 1
