import asyncio

import tornado.web

from feeds.parse import title


class Feed(tornado.web.RequestHandler):
    def get(self, name):
        self.write({"title": title(name)})


class Health(tornado.web.RequestHandler):
    def get(self):
        self.write("ok")


async def main():
    tornado.web.Application([(r"/health", Health), (r"/feeds/(.*)", Feed)]).listen(8080)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
