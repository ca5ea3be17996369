var builder = WebApplication.CreateBuilder(args);
var key = builder.Configuration["Mail:ApiKey"]
    ?? throw new InvalidOperationException("Mail:ApiKey is not configured (environment variable Mail__ApiKey)");
var app = builder.Build();
app.MapGet("/", () => key.Length);
app.Run();
