"""Packages under which registries offer modules whose import has another name."""

from __future__ import annotations

# Python modules → packages of PyPI, by the documentation of each package.
PYTHON_PACKAGES = {
    "attr": "attrs", "bs4": "beautifulsoup4", "corsheaders": "django-cors-headers", "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless", "dateutil": "python-dateutil", "decouple": "python-decouple",
    "discord": "discord.py", "dj_database_url": "dj-database-url", "docx": "python-docx", "dotenv": "python-dotenv",
    "environ": "django-environ", "fitz": "PyMuPDF", "flask_cors": "Flask-Cors", "git": "GitPython",
    "jose": "python-jose", "jwt": "PyJWT", "magic": "python-magic", "multipart": "python-multipart",
    "MySQLdb": "mysqlclient", "nacl": "PyNaCl", "OpenSSL": "pyOpenSSL", "PIL": "Pillow", "pkg_resources": "setuptools",
    "pptx": "python-pptx", "psycopg2": "psycopg2-binary", "rest_framework": "djangorestframework",
    "rest_framework_simplejwt": "djangorestframework-simplejwt", "serial": "pyserial", "sklearn": "scikit-learn",
    "slugify": "python-slugify", "socketio": "python-socketio", "telegram": "python-telegram-bot", "yaml": "PyYAML",
    "zmq": "pyzmq",
}  # fmt: skip
