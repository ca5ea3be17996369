-- Write fields of a claimed journal. Returns 0 if the claim is lost.
local journal = KEYS[1]
local fence, token = ARGV[1], ARGV[2]
-- ARGV[3] onwards: field, value, …
-- @include common/check_claim.lua

-- A new record is progress: crashes and failed attempts are counted from zero again.
if string.sub(ARGV[3], 1, 2) == 'r:' and redis.call('HEXISTS', journal, ARGV[3]) == 0 then
  redis.call('HSET', journal, 'crashes', 0, 'attempts', 0)
  redis.call('HDEL', journal, 'failing_since')
end
redis.call('HSET', journal, unpack(ARGV, 3))
return 1
