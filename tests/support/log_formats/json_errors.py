"""Errors as JSON loggers print them, with the class of the exception. Names and texts are invented."""

from __future__ import annotations

JSON_ERRORS: tuple[tuple[str, str], ...] = (
    ('', '{"level":"error","ts":1763639282.1,"caller":"shop/main.go:42","msg":"charge failed","error":"dial tcp: lookup db: no such host","stacktrace":"main.total\\n\\t/app/pricing.go:12\\nmain.main\\n\\t/app/main.go:9"}'),
    ('', '{"time":"2026-11-20T11:48:02Z","level":"ERROR","msg":"charge failed","err":"EOF"}'),
    ('', '{"error":"EOF","level":"error","msg":"charge failed","time":"2026-11-20T11:48:02Z"}'),
    ('', '{"level":"error","error":"dial tcp: refused","stack":[{"func":"total","line":"12","source":"pricing.go"}],"time":1,"message":"charge failed"}'),
    ('java.net.UnknownHostException', '{"@timestamp":"2026-11-20T11:48:02.114Z","@version":"1","message":"charge failed","logger_name":"com.acme.Shop","thread_name":"main","level":"ERROR","level_value":40000,"stack_trace":"java.lang.RuntimeException: outer\\n\\tat com.acme.A.b(A.java:1)\\nCaused by: java.net.UnknownHostException: db\\n\\tat com.acme.C.d(C.java:2)\\n"}'),
    ('java.lang.IllegalStateException', '{"@timestamp":"2026-11-20T11:48:02.114Z","log.level":"ERROR","message":"charge failed","error.type":"java.lang.IllegalStateException","error.message":"bad","error.stack_trace":"java.lang.IllegalStateException: bad\\n\\tat com.acme.A.b(A.java:1)\\n"}'),
    ('System.InvalidOperationException', '{"@t":"2026-11-20T11:48:02Z","@mt":"charge {Id} failed","@l":"Error","@x":"System.InvalidOperationException: no\\n   at Shop.A.B() in /src/A.cs:line 3","Id":17}'),
    ('System.InvalidOperationException', '{"EventId":0,"LogLevel":"Error","Category":"Shop","Message":"charge failed","Exception":"System.InvalidOperationException: no\\n   at Shop.A.B() in /src/A.cs:line 3","State":{}}'),
    ('PDOException', '{"message":"charge failed","context":{"exception":{"class":"PDOException","message":"SQLSTATE[HY000] refused","code":2002,"file":"/app/src/Db.php:9","trace":["/app/src/Db.php:4","/app/index.php:3"]}},"level":400,"level_name":"ERROR","channel":"app","datetime":"2026"}'),
    ('KeyError', '{"exception":[{"exc_type":"KeyError","exc_value":"\'gift\'","syntax_error":null,"is_cause":false,"frames":[{"filename":"/app/shop/orders.py","lineno":31,"name":"place"},{"filename":"/app/shop/pricing.py","lineno":5,"name":"total"}]}],"event":"order failed","level":"error"}'),
    ('KeyError', '{"Timestamp":1,"Type":"jbi.router","Logger":"jbi","Hostname":"a","EnvVersion":"2.0","Severity":3,"Pid":7,"Fields":{"msg":"failed","traceback":"Traceback (most recent call last):\\n  File \\"/app/jbi/router.py\\", line 5, in x\\n    y()\\nKeyError: \'gift\'"}}'),
    ('TypeError', '{"level":50,"time":1,"pid":1,"hostname":"a","err":{"type":"TypeError","message":"x is undefined","stack":"TypeError: x is undefined\\n    at total (/app/src/pricing.js:10:21)"},"msg":"x is undefined"}'),
    ('java.lang.RuntimeException', '{"version":"1.1","host":"a","short_message":"charge failed","level":3,"_exception":"java.lang.RuntimeException: x\\n\\tat com.A.b(A.java:1)"}'),
    ('KeyError', '{"severity":"ERROR","message":"charge failed","exception":{"values":[{"type":"KeyError","value":"\'gift\'","stacktrace":{"frames":[{"filename":"/app/a.py","lineno":3,"function":"f"}]}}]}}'),
    ('', '{"timestamp":"2026","level":"ERROR","fields":{"message":"charge failed","error":"EOF"},"target":"shop"}'),
    ('KeyError', '{"severityText":"ERROR","severityNumber":17,"body":"charge failed","attributes":{"exception.type":"KeyError","exception.stacktrace":"Traceback (most recent call last):\\n  File \\"/app/a.py\\", line 5, in x\\nKeyError: \'a\'"}}'),
    ('', '{"t":{"$date":"2026"},"s":"E","c":"NETWORK","id":1,"ctx":"main","msg":"charge failed","attr":{"error":"refused"}}'),
    ('NoMethodError', '{"name":"shop","level":"error","exception":{"name":"NoMethodError","message":"undefined method \'price\'","stack_trace":["/app/a.rb:3:in \'total\'","/app/b.rb:4:in \'x\'"]},"message":"charge failed"}'),
    ('', '{"time":"2026-11-20T11:48:02Z","level":"-","prefix":"echo","file":"recover.go","line":"119","message":"[PANIC RECOVER] runtime error: index out of range goroutine 5 [running]:\\nmain.total(...)\\n\\t/app/pricing.go:12 +0x1d\\n"}'),
    ('KeyError', '{"levelname":"ERROR","levelno":40,"message":"charge failed","exc_info":"Traceback (most recent call last):\\n  File \\"/app/a.py\\", line 5, in x\\nKeyError: \'a\'"}'),
)  # fmt: skip
"""Class of the exception, empty if the line names none, and the line."""
