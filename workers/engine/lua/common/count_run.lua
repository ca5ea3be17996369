-- Needs `now`. Adds the claim that is over to the times of an incident's stage: start of the first run, end of the last
-- run, milliseconds of all runs, number of runs, number of those that failed or crashed.
local function count_run(key, ended_at, failed)
  local claim = redis.call('HMGET', key, 'stage', 'claimed')
  -- Other journals keep no times: what they did shows in their opening and their end.
  if not claim[2] then return end
  -- A lease may have been moved into the past.
  ended_at = math.max(ended_at, claim[2])
  local field = 's:' .. claim[1]
  local first, busy, runs, failures = string.match(redis.call('HGET', key, field) or '',
    '^(%d+) %d+ (%d+) (%d+) (%d+)$')
  busy = tonumber(busy or 0) + ended_at - claim[2]
  redis.call('HSET', key, field, string.format('%s %.0f %.0f %.0f %.0f', first or claim[2], ended_at, busy,
    tonumber(runs or 0) + 1, tonumber(failures or 0) + failed))
end
