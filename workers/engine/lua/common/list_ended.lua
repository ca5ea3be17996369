-- Needs `now`, `ended_journals`. Keeps the newest 1,000 ended sweeps and incidents, for 30 days, for `list`.
local function list_ended(key)
  if string.match(key, '^%w+:incident:') or string.match(key, '^%w+:sweep:') then
    redis.call('ZADD', ended_journals, now, key)
    redis.call('ZREMRANGEBYRANK', ended_journals, 0, -1001)
    redis.call('PEXPIRE', ended_journals, 2592000000)
  end
end
