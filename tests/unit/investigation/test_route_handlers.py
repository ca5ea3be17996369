# ruff: noqa: E501  # one framework per line reads best
"""The handler of a failing route is found in the form of each framework."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.logs import write_tree
from workers.investigation.code.route_syntax import registrations
from workers.investigation.code.routes import route_locations
from workers.models import RequestPattern

CASES: list[tuple[str, dict[str, str], str, str, str, str | None]] = [
    ('tornado list', {'web/app.py': 'app = Application([(r"/health", Health), (r"/live", Live)])\n\nclass Health(H):\n    def get(self): pass\n\nclass Live(H):\n    def get(self): pass\n'}, 'GET', '/live', 'web/app.py:7', 'Live.get'),
    ('starlette list', {'app.py': 'def health(r): pass\n\ndef upload(r): pass\n\napp = Starlette(routes=[Route("/health", health), Route("/upload", upload, methods=["POST"])])\n'}, 'POST', '/upload', 'app.py:3', 'upload'),
    ('django views', {'hc/urls.py': 'from hc import views\nurlpatterns = [\n    path("login/", views.login, name="hc-login"),\n    path("x/<int:id>/", views.x),\n]\n', 'hc/views.py': '\n\ndef login(request):\n    pass\n\ndef x(request, id): pass\n'}, 'POST', '/login/', 'hc/views.py:3', 'login'),
    ('django cbv', {'hc/urls.py': 'urlpatterns = [path("orders/<int:pk>/", views.OrderView.as_view(), name="o")]\n', 'hc/views.py': 'class OrderView(View):\n    def post(self, r): pass\n\n    def get(self, request, pk):\n        pass\n'}, 'GET', '/orders/3/', 'hc/views.py:4', 'OrderView.get'),
    ('client', {'luigi/rpc.py': 'def ping():\n    return self._request("/api/task_list", {})\n    requests.get("/api/task_list")\n', 'luigi/server.py': 'handlers = [\n    (r"/api/(.*)", RpcHandler, {"s": s}),\n]\n\nclass RpcHandler(H):\n    def get(self, m): pass\n'}, 'GET', '/api/task_list', 'luigi/server.py:6', 'RpcHandler.get'),
    ('decorators', {'app.py': 'def above(): pass\n\n@app.post(\n    "/orders/{id}",\n    status_code=201,\n    response_model=Order,\n    tags=["x"],\n)\n@limiter.limit("5/minute")\nasync def create(id: int):\n    pass\n'}, 'POST', '/orders/3', 'app.py:4', 'create'),
    ('fastapi prefix', {'api/orders.py': 'router = APIRouter(prefix="/orders")\n\n@router.get("/{id}")\ndef read(id): pass\n\n@router.post("")\ndef make(): pass\n'}, 'GET', '/orders/3', 'api/orders.py:3', 'read'),
    ('flask bp', {'shop/views.py': 'bp = Blueprint("o", __name__, url_prefix="/orders")\n\n@bp.route("/<int:id>", methods=["GET"])\ndef show(id): pass\n'}, 'GET', '/orders/3', 'shop/views.py:3', 'show'),
    ('add_url_rule', {'a.py': 'def hello(): pass\n\napp.add_url_rule("/hello", view_func=hello)\n'}, 'GET', '/hello', 'a.py:1', 'hello'),
    ('express', {'src/routes/orders.js': "const { create } = require('../orders');\nrouter.get('/:id', show);\nrouter.post('/', auth, asyncHandler(create));\n\nfunction show(req, res) {\n}\n", 'src/orders.js': 'exports.x = 1;\nasync function create(req, res) {\n}\n', 'src/app.js': "app.use('/orders', require('./routes/orders'));\n"}, 'GET', '/orders/17', 'src/routes/orders.js:5', 'show'),
    ('express post', {'src/routes/orders.js': "router.get('/orders', list);\nrouter.post('/orders', create);\n", 'src/orders.js': 'async function list(req, res) {\n}\nasync function create(req, res) {\n}\n'}, 'POST', '/orders', 'src/orders.js:3', 'create'),
    ('express inline', {'a.js': "app.get('/health', (req, res) => res.send('ok'));\napp.get('/live', (req, res) => {\n  res.send(1);\n});\n"}, 'GET', '/live', 'a.js:2', None),
    ('nest', {'src/orders/orders.controller.ts': "@Controller('orders')\nexport class OrdersController {\n  @Get(':id')\n  async findOne(@Param('id') id: string) {\n  }\n\n  @Post()\n  create(@Body() dto: Dto) {\n  }\n}\n"}, 'GET', '/orders/3', 'src/orders/orders.controller.ts:3', 'findOne'),
    ('fastify', {'s.js': "fastify.route({ method: 'GET', url: '/orders/:id', handler: getOrder });\nfunction getOrder(r) {\n}\n"}, 'GET', '/orders/3', 's.js:2', 'getOrder'),
    ('next app', {'src/app/(shop)/api/orders/[id]/route.ts': "import x from 'y';\n\nexport async function GET(req) {\n}\nexport async function POST(req) {\n}\n"}, 'POST', '/api/orders/3', 'src/app/(shop)/api/orders/[id]/route.ts:5', 'POST'),
    ('next pages', {'pages/api/orders/[id].ts': 'export default async function handler(req, res) {\n}\n'}, 'GET', '/api/orders/3', 'pages/api/orders/[id].ts:1', None),
    ('next page', {'app/orders/page.tsx': 'export default function P() {}\n', 'app/page.tsx': 'x\n'}, 'GET', '/orders', 'app/orders/page.tsx:1', None),
    ('nuxt', {'server/api/orders.get.ts': 'export default defineEventHandler(() => 1)\n', 'server/api/orders.post.ts': 'x\n'}, 'POST', '/api/orders', 'server/api/orders.post.ts:1', None),
    ('rails', {'config/routes.rb': "Rails.application.routes.draw do\n  get '/orders/:id', to: 'orders#show'\nend\n", 'app/controllers/orders_controller.rb': 'class OrdersController\n  def index\n  end\n\n  def show\n  end\nend\n'}, 'GET', '/orders/3', 'app/controllers/orders_controller.rb:5', 'show'),
    ('sinatra', {'app.rb': "get '/orders/:id' do\n  total\nend\n"}, 'GET', '/orders/3', 'app.rb:1', None),
    ('laravel', {'routes/api.php': "<?php\nRoute::get('/orders/{id}', [OrderController::class, 'show']);\nRoute::post('/orders', 'OrderController@store');\n", 'app/Http/Controllers/OrderController.php': '<?php\nclass OrderController {\n    public function store()\n    {\n    }\n    public function show($id)\n    {\n    }\n}\n'}, 'GET', '/orders/3', 'app/Http/Controllers/OrderController.php:6', 'show'),
    ('chi', {'main.go': 'func main() {\n\tr.Get("/health", health)\n\tr.Post("/orders", h.PostOrder)\n}\n', 'internal/web/handler.go': 'package web\n\nfunc (h *Handler) PostOrder(w http.ResponseWriter, r *http.Request) {\n}\n'}, 'POST', '/orders', 'internal/web/handler.go:3', 'PostOrder'),
    ('net/http', {'main.go': 'func main() {\n\thttp.HandleFunc("/orders", orders)\n}\n\nfunc orders(w http.ResponseWriter, r *http.Request) {\n}\n'}, 'GET', '/orders', 'main.go:5', 'orders'),
    ('go 1.22', {'main.go': 'func main() {\n\tmux.HandleFunc("GET /orders/{id}", getOrder)\n}\n\nfunc getOrder(w http.ResponseWriter, r *http.Request) {\n}\n'}, 'GET', '/orders/3', 'main.go:5', 'getOrder'),
    ('gin inline', {'main.go': 'func main() {\n\tr.GET("/ping", func(c *gin.Context) {\n\t\tc.JSON(200, x)\n\t})\n}\n'}, 'GET', '/ping', 'main.go:2', None),
    ('spring', {'src/main/java/com/acme/OrderController.java': '@RestController\n@RequestMapping("/orders")\npublic class OrderController {\n\n    @GetMapping("/{id}")\n    public Order show(@PathVariable long id) {\n    }\n\n    @PostMapping("/{id}/pay")\n    @Transactional\n    public ResponseEntity<Order> pay(@PathVariable long id) {\n    }\n}\n'}, 'POST', '/orders/3/pay', 'src/main/java/com/acme/OrderController.java:9', 'pay'),
    ('aspnet', {'C/OrdersController.cs': '[ApiController]\n[Route("orders")]\npublic class OrdersController {\n    [HttpGet("{id}")]\n    public async Task<IActionResult> Show(int id) {\n    }\n}\n'}, 'GET', '/orders/3', 'C/OrdersController.cs:4', 'Show'),
    ('minimal api', {'Program.cs': 'app.MapGet("/orders", Orders.List);\n', 'Orders.cs': 'class Orders {\n    public static IResult List() {\n    }\n}\n'}, 'GET', '/orders', 'Orders.cs:2', 'List'),
    ('axum', {'src/main.rs': 'fn main() {\n    let app = Router::new().route("/health", get(health)).route("/orders", get(list).post(create));\n}\n\nasync fn list() {\n}\nasync fn create() {\n}\n'}, 'POST', '/orders', 'src/main.rs:7', 'create'),
    ('actix', {'src/main.rs': '#[get("/orders/{id}")]\nasync fn show() -> impl Responder {\n}\n'}, 'GET', '/orders/3', 'src/main.rs:1', 'show'),
    ('phoenix', {'lib/shop_web/router.ex': '  scope "/api", ShopWeb do\n    get "/orders", OrderController, :index\n  end\n', 'lib/shop_web/controllers/order_controller.ex': 'defmodule ShopWeb.OrderController do\n  def index(conn, _) do\n  end\nend\n'}, 'GET', '/api/orders', 'lib/shop_web/controllers/order_controller.ex:2', 'index'),
    ('hono', {'src/index.ts': "const app = new Hono();\napp.get('/orders/:id', (c) => c.json(find(c)));\n"}, 'GET', '/orders/3', 'src/index.ts:2', None),
    ('frontend call', {'web/src/api.ts': "export const list = () => api.get('/orders');\nfetch('/orders');\n", 'server.js': "app.get('/orders', listAll);\n\nfunction listAll() {\n}\n"}, 'GET', '/orders', 'server.js:3', 'listAll'),
    ('http.server', {'s.py': "class H(B):\n    def do_GET(self):\n        if self.path == '/a':\n            a()\n        elif self.path == '/search':\n            run()\n"}, 'GET', '/search', 's.py:5', 'do_GET'),
    ('aiohttp', {'s.py': "async def hello(r): pass\n\napp.router.add_get('/hello', hello)\napp.add_routes([web.get('/x', x), web.post('/y', make)])\n\nasync def make(r): pass\n"}, 'POST', '/y', 's.py:6', 'make'),
    ('jaxrs', {'R.java': '@Path("/orders")\npublic class R {\n    @GET\n    @Path("/{id}")\n    public Order get(@PathParam("id") long id) {\n    }\n}\n'}, 'GET', '/orders/3', 'R.java:4', 'get'),
    ('multi line path()', {'u.py': 'urlpatterns = [\n    path(\n        "hook/",\n        csrf_exempt(views.hook),\n    ),\n]\n', 'views.py': 'def hook(r): pass\n'}, 'POST', '/hook/', 'views.py:1', 'hook'),
    ('koa', {'a.js': "router.post('/orders/:id', auth, ctrl.update);\n", 'controllers/ctrl.js': 'exports.update = async (ctx) => {\n};\n'}, 'POST', '/orders/1', 'controllers/ctrl.js:1', 'update'),
    ('symfony', {'src/Controller/OrderController.php': "<?php\nclass OrderController {\n    #[Route('/orders/{id}', methods: ['GET'])]\n    public function show(int $id): Response\n    {\n    }\n}\n"}, 'GET', '/orders/2', 'src/Controller/OrderController.php:3', 'show'),
    ('rack', {'config.ru': 'x', 'app.rb': "class App\n  def call(env)\n    case env['PATH_INFO']\n    when '/total' then total\n    end\n  end\nend\n"}, 'GET', '/total', 'app.rb:4', 'call'),
    ('rails resources', {'config/routes.rb': 'Rails.application.routes.draw do\n  resources :orders\nend\n', 'app/controllers/orders_controller.rb': 'class OrdersController\n  def index\n  end\n\n  def create\n  end\nend\n'}, 'POST', '/orders', 'app/controllers/orders_controller.rb:5', 'create'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "files", "method", "path", "place", "function"), CASES, ids=[case[0] for case in CASES]
)
def test_the_handler_of_a_route_is_found_in_each_framework(
    tmp_path: Path, name: str, files: dict[str, str], method: str, path: str, place: str, function: str | None
) -> None:
    tree = write_tree(tmp_path, files)
    request = RequestPattern(method=method, route=path, path=path, status=500, count=1, slowest_ms=1)

    [location] = route_locations([request], tree)

    assert (f"{location.file}:{location.line}", location.function) == (place, function)


def test_hostile_lines_cost_little_time() -> None:
    pieces = ['"/a",', "(", "['/x'", '@get("/', ".route(", "'", "a.", '("/a", b', "{", '"/a" == ']
    started = time.process_time()

    for piece in pieces:
        list(registrations("a.py", [piece * (1_000 // len(piece))] * 20))

    assert time.process_time() - started < 10  # seconds of CPU time; a pattern that backtracks takes minutes
