-- Needs `now`, `open_incidents`. The next sweep that finds trouble of this cause opens a new occurrence.
local function close_incident(key, fingerprint, ttl_ms, ended_as)
  -- Another occurrence may hold the cause by now.
  if redis.call('HGET', open_incidents, fingerprint) == key then
    redis.call('HDEL', open_incidents, fingerprint)
    -- Findings that are older than this end belong to this occurrence and open no new one.
    redis.call('SET', open_incidents .. ':last_end:' .. fingerprint, now .. ' ' .. ended_as .. ' ' .. key, 'PX', ttl_ms)
  end
end
