-- Needs `now`, `ended_journals`. Keeps the newest 1,000 ended sweeps, and as many incidents, for 30 days, for people.
local function list_ended(key)
  local list = string.match(key, '^%w+:incident:') and ended_journals .. ':incidents' or ended_journals
  if string.match(key, '^%w+:incident:') or string.match(key, '^%w+:sweep:') then
    redis.call('ZADD', list, now, key)
    redis.call('ZREMRANGEBYRANK', list, 0, -1001)
    redis.call('PEXPIRE', list, 2592000000)
  end
end
